using System.Globalization;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;

namespace Granary.Silo.Commands;

/// <summary>Describes the history of a tag, and an undo, in words.</summary>
internal static class TagHistoryText
{
    private const int ShortDigest = 12;

    /// <summary>Returns a line for each move, the newest first, and a line that says whether there are older ones.</summary>
    public static IEnumerable<string> Lines(TagName name, TagHistory history)
    {
        var moves = Array.ConvertAll(history.Entries, entry => (Entry: entry, Position: $"{entry.Line.Position}", What: What(entry.Line)));
        var position = moves.Select(move => move.Position.Length).DefaultIfEmpty().Max();
        var what = moves.Select(move => move.What.Length).DefaultIfEmpty().Max();
        foreach (var move in moves)
        {
            var (line, who, state) = (move.Entry.Line, Who(move.Entry.Line.Origin), State(move.Entry));
            var text = $"{move.Position.PadRight(position)}  {Text(line.Time)}  {move.What.PadRight(what)}";
            yield return string.Join("  ", ((string[])[text, who, state]).Where(part => part.Length > 0)).TrimEnd();
        }

        if (history.Next is { } next)
        {
            yield return $"Older moves: granary tag history {name} --before {next}";
        }
        else if (history.IsCut)
        {
            yield return "Older moves were removed after history.retention.";
        }
    }

    /// <summary>Returns the lines that say where a tag points after an undo, and how to undo that.</summary>
    public static IEnumerable<string> Lines(TagName name, TagUndone undone)
    {
        if (undone.Line is null)
        {
            yield return $"{name} points at {undone.To} already; nothing was changed.";
            yield break;
        }

        var before = undone.From is { } from ? $"before: {from}" : "before: there was no such tag";
        yield return $"{name} points at {undone.To} again ({before}).";
        yield return undone.From is null
            ? $"To remove the tag again, send DELETE /v2/{name.Repository}/manifests/{name.Tag} to the registry."
            : $"To undo this, run 'granary tag undo {name}' again.";
    }

    private static string What(LogLine line)
    {
        var what = (line.Kind, line.Previous) switch
        {
            (ChangeKind.Pushed, _) => "pushed",
            (ChangeKind.Tagged, null) => "tagged",
            (ChangeKind.Tagged, _) => "moved",
            (ChangeKind.Untagged, _) => "tag deleted",
            (ChangeKind.Deleted, _) => "manifest deleted",
            (ChangeKind.Restored, _) => "restored",
            (ChangeKind.RepositoryCreated, _) => "repository created",
            (ChangeKind.RepositoryDeleted, _) => "repository deleted",
            var (kind, _) => $"{kind}",
        };

        // The kind of a line says already that a client pushed or deleted.
        var cause = line.Origin.Cause is ChangeCause.Push or ChangeCause.Delete or ChangeCause.Unknown
            ? ""
            : $" ({line.Origin.Cause.ToString().ToLowerInvariant()})";
        return $"{what} {Short(line.Previous)} → {Short(line.Digest)}{cause}";
    }

    private static string Who(CommandOrigin origin)
    {
        // A proxy's address says nothing about the client, and the client's own does if a trusted proxy tells it.
        var agent = origin.UserAgent is { } program ? $"\"{program}\"" : null;
        return string.Join(' ', ((string?[])[origin.Actor, origin.Address ?? origin.Peer, agent]).Where(part => part is not null));
    }

    private static string State(TagHistoryEntry entry) => entry switch
    {
        { Line.Digest: null } => "",
        { IsHere: false } => "gone",
        { KeptUntil: { } keptUntil } => $"kept until {Text(keptUntil)}",
        _ => "",
    };

    /// <summary>Returns twelve digits: enough to tell the manifests of one tag apart.</summary>
    private static string Short(Digest? digest) => digest is { } known ? known.Encoded[..ShortDigest].ToString() : "none";

    private static string Text(DateTimeOffset time) =>
        time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
}
