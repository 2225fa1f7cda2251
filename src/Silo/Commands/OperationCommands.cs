using System.CommandLine;
using Granary.Gateway.Admin;
using Granary.Grains.Interfaces.Operations;
using Granary.Protocol;

namespace Granary.Silo.Commands;

/// <summary>
/// <c>granary scrub</c>, <c>backup</c>, <c>repository delete</c> and <c>operation</c>: long operations of a running server.
/// </summary>
internal static class OperationCommands
{
    private const int Listed = 20;

    public static Command CreateScrub()
    {
        var (server, json, noWait) = (new Connection(), AdminCommand.Json(), AdminCommand.NoWait());
        var rate = new Option<int?>("--megabytes-per-second")
        {
            Description = "How many megabytes it reads in a second at most, instead of scrub.megabytesPerSecond.",
            HelpName = "N",
        };
        return AdminCommand.Create(
            "scrub",
            "Checks all blobs and metadata while the server serves, and waits for the end. Exit status 0: no damage; 1: failed or " +
            "cancelled; 2: damage, which it lists.",
            [rate, noWait, json, .. server.Options],
            async (result, cancellationToken) =>
            {
                using var client = server.Open(result);
                var request = new StartRequest(OperationKind.Scrub, BytesPerSecond: result.GetValue(rate) * 1_000_000L);
                var isWaiting = !result.GetValue(noWait);
                return await AdminCommand.RunAsync(client, request, isWaiting, result.GetValue(json), cancellationToken);
            });
    }

    public static Command CreateBackup()
    {
        var (server, json, noWait) = (new Connection(), AdminCommand.Json(), AdminCommand.NoWait());
        var directory = new Argument<string>("directory")
        {
            Description = "The directory of the backup, on the server's machine. " +
                "In a directory with an earlier backup, only what is new is copied.",
        };
        return AdminCommand.Create(
            "backup",
            "Backs the registry up while the server serves, and waits for the end. Exit status 0: done; 1: failed or cancelled; 2: " +
            "done, with damaged blobs, which it lists.",
            [directory, noWait, json, .. server.Options],
            async (result, cancellationToken) =>
            {
                using var client = server.Open(result);
                var request = new StartRequest(OperationKind.Backup, Directory: Path.GetFullPath(result.GetValue(directory)!));
                var isWaiting = !result.GetValue(noWait);
                return await AdminCommand.RunAsync(client, request, isWaiting, result.GetValue(json), cancellationToken);
            });
    }

    public static Command CreateRepository() => new("repository", "Deletes a repository as a whole.") { CreateDelete() };

    public static Command CreateOperation() => new(
        "operation",
        "Lists, watches and cancels long operations: collections, scrubs, backups, deletions of repositories.")
    {
        CreateStatus(kind: null),
        CreateWatch(kind: null),
        CreateCancel(kind: null),
    };

    public static Command CreateStatus(OperationKind? kind)
    {
        var (server, json) = (new Connection(), AdminCommand.Json());
        return AdminCommand.Create(
            kind is null ? "list" : "status",
            $"Lists the last {Listed} {Plural(kind)} and how far they are, the newest first.",
            [json, .. server.Options],
            async (result, cancellationToken) =>
            {
                using var client = server.Open(result);
                var operations = await client.ListAsync(kind, Listed, cancellationToken);
                foreach (var operation in operations)
                {
                    Console.WriteLine(result.GetValue(json) ? OperationText.Json(operation) : OperationText.Line(operation));
                }

                if (operations.Count == 0 && !result.GetValue(json))
                {
                    Console.WriteLine($"There were no {Plural(kind)} yet.");
                }

                return AdminCommand.Done;
            });
    }

    public static Command CreateWatch(OperationKind? kind)
    {
        var (server, json, id) = (new Connection(), AdminCommand.Json(), Id(kind));
        return AdminCommand.Create(
            "watch",
            $"Shows {Article(kind)} until its end. Exit status 0: done; 1: failed or cancelled; 2: done, with damage, which it lists.",
            [id, json, .. server.Options],
            async (result, cancellationToken) =>
            {
                using var client = server.Open(result);
                var operation = await FindAsync(client, kind, result.GetValue(id), cancellationToken);
                return await AdminCommand.WatchAsync(client, operation, result.GetValue(json), cancellationToken);
            });
    }

    public static Command CreateCancel(OperationKind? kind)
    {
        var (server, json, id) = (new Connection(), AdminCommand.Json(), Id(kind));
        return AdminCommand.Create(
            "cancel",
            $"Cancels {Article(kind)} at its next step. What it has done so far stays done.",
            [id, json, .. server.Options],
            async (result, cancellationToken) =>
            {
                using var client = server.Open(result);
                var operation = await FindAsync(client, kind, result.GetValue(id), cancellationToken);
                if (operation.IsOver)
                {
                    throw new CommandException(
                        $"The {OperationText.Title(operation)} {operation.Id} has ended already, so it cannot be cancelled.");
                }

                operation = await client.CancelAsync(operation.Id, cancellationToken);
                Console.WriteLine(result.GetValue(json) ? OperationText.Json(operation) : OperationText.Line(operation));
                return AdminCommand.Done;
            });
    }

    private static Command CreateDelete()
    {
        var (server, json) = (new Connection(), AdminCommand.Json());
        var name = new Argument<string>("name") { Description = "The repository, for example library/app." };
        var yes = new Option<bool>("--yes") { Description = "Do not ask for confirmation." };
        return AdminCommand.Create(
            "delete",
            "Deletes a repository with all its tags and manifests. Later collections delete the blobs that no other repository has. " +
            "Exit status 1: there is no such repository, or it failed.",
            [name, yes, json, .. server.Options],
            async (result, cancellationToken) =>
            {
                if (!RepositoryName.TryParse(result.GetValue(name)!, out var repository))
                {
                    throw new CommandException($"'{result.GetValue(name)}' is not a repository's name, such as library/app.");
                }

                var question = $"Delete {repository} with all its tags and manifests? Type its name: ";
                if (!result.GetValue(yes) && !Confirm(question, repository.Value))
                {
                    throw new CommandException(
                        "Nothing was deleted, because the deletion was not confirmed. Type the repository's name when asked, or give " +
                        "--yes.");
                }

                using var client = server.Open(result);
                var request = new StartRequest(OperationKind.Deletion, Repository: repository);
                return await AdminCommand.RunAsync(client, request, isWaiting: true, result.GetValue(json), cancellationToken);
            });
    }

    private static string Plural(OperationKind? kind) => kind is null ? "operations" : OperationText.Name(kind.Value) + "s";

    private static string Article(OperationKind? kind) => kind is null ? "an operation" : "a " + OperationText.Name(kind.Value);

    private static bool Confirm(string question, string answer)
    {
        if (Console.IsInputRedirected)
        {
            return false;
        }

        Console.Error.Write(question);
        return Console.ReadLine()?.Trim() == answer;
    }

    private static Argument<string?> Id(OperationKind? kind) => new("id")
    {
        Description = kind is null
            ? "The operation's id, from 'granary operation list'."
            : $"The {OperationText.Name(kind.Value)}'s id. Default: the newest one.",
        Arity = kind is null ? ArgumentArity.ExactlyOne : ArgumentArity.ZeroOrOne,
    };

    private static async Task<OperationStatus> FindAsync(
        AdminClient client,
        OperationKind? kind,
        string? id,
        CancellationToken cancellationToken)
    {
        if (id is not null)
        {
            return await client.FindAsync(id, cancellationToken);
        }

        return await client.ListAsync(kind, limit: 1, cancellationToken) is [var newest]
            ? newest
            : throw new CommandException($"There were no {Plural(kind)} yet.");
    }
}
