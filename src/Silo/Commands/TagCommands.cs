using System.CommandLine;
using Granary.Gateway.Admin;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;

namespace Granary.Silo.Commands;

/// <summary><c>granary tag</c>: who moved a tag, and the way back.</summary>
internal static class TagCommands
{
    private const int DefaultLimit = 50;

    public static Command Create() => new("tag", "Says who moved a tag and when, and undoes moves and deletions.")
    {
        CreateHistory(),
        CreateUndo(),
    };

    private static Command CreateHistory()
    {
        var (server, json, name) = (new Connection(), Json(), Name());
        var limit = new Option<int>("--limit")
        {
            Description = $"How many moves to list, from 1 to {TagHistory.MaxLimit}.",
            HelpName = "N",
            DefaultValueFactory = _ => DefaultLimit,
        };
        var before = new Option<string?>("--before")
        {
            Description = "List moves from this one on. The last line of the output names it.",
            HelpName = "POSITION",
        };
        return AdminCommand.Create(
            "history",
            "Lists the moves of a tag, the newest first: position, time, the manifest before and after (12 digits of the digest), who " +
            "made the move, and whether the manifest is gone. Exit status 1: there is no such history.",
            [name, limit, before, json, .. server.Options],
            async (result, cancellationToken) =>
            {
                var (tag, from, count) = (ReadName(result.GetValue(name)!), ReadPosition(result.GetValue(before)), result.GetValue(limit));
                if (count is < 1 or > TagHistory.MaxLimit)
                {
                    throw new CommandException($"--limit: {count} is not a number from 1 to {TagHistory.MaxLimit}.");
                }

                using var client = server.Open(result);
                var (document, history) = await client.ReadHistoryAsync(tag, from, count, cancellationToken);
                Print(result.GetValue(json), document, TagHistoryText.Lines(tag, history));
                return AdminCommand.Done;
            });
    }

    private static Command CreateUndo()
    {
        var (server, json, name) = (new Connection(), Json(), Name());
        var to = new Option<string?>("--to")
        {
            Description = "Where the tag goes: a manifest of its history, or the line after which it pointed at the manifest. Default: " +
                "where it was before its last move.",
            HelpName = "DIGEST|POSITION",
        };
        var ifMatch = new Option<string?>("--if-match")
        {
            Description = "Change nothing unless the tag points at this manifest now.",
            HelpName = "DIGEST",
        };
        return AdminCommand.Create(
            "undo",
            "Points a tag at a manifest that it pointed at before, also if the tag was deleted. Without --to it undoes the last move. " +
            "Exit status 1: the manifest is gone, or the tag did not exist before.",
            [name, to, ifMatch, json, .. server.Options],
            async (result, cancellationToken) =>
            {
                var (tag, target) = (ReadName(result.GetValue(name)!), ReadTarget(result.GetValue(to)));
                var expected = ReadDigest(result.GetValue(ifMatch));
                using var client = server.Open(result);
                var (document, undone) = await client.UndoAsync(tag, target, expected, cancellationToken);
                Print(result.GetValue(json), document, TagHistoryText.Lines(tag, undone));
                return AdminCommand.Done;
            });
    }

    private static Argument<string> Name() => new("repository:tag")
    {
        Description = "The tag, for example library/app:v1.",
    };

    private static Option<bool> Json() => new("--json") { Description = "Print the server's answer as JSON." };

    private static void Print(bool isJson, string document, IEnumerable<string> lines)
    {
        foreach (var line in isJson ? [document] : lines)
        {
            Console.WriteLine(line);
        }
    }

    private static TagName ReadName(string text) =>
        TagName.TryParse(text, out var name, out var error) ? name : throw new CommandException(error);

    private static LogPosition? ReadPosition(string? text) => text switch
    {
        null => null,
        _ when LogPosition.TryParse(text, out var position) => position,
        _ => throw new CommandException($"--before: '{text}' is not the position of a line, such as 418.0."),
    };

    private static UndoTarget ReadTarget(string? text) => text switch
    {
        null => default,
        _ when UndoTarget.TryParse(text, out var target) => target,
        _ => throw new CommandException(
            $"--to: '{text}' is neither a whole digest, such as sha256: and 64 digits, nor the position of a line, such as 418.0. " +
            "'granary tag history' lists the positions."),
    };

    private static Digest? ReadDigest(string? text) => text switch
    {
        null => null,
        _ when Digest.TryParse(text, out var digest) => digest,
        _ => throw new CommandException($"--if-match: '{text}' is not a whole digest, such as sha256: and 64 digits."),
    };
}
