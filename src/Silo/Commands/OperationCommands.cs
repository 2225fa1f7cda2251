using System.CommandLine;
using Granary.Gateway.Admin;
using Granary.Grains.Interfaces.Operations;
using Granary.Protocol;

namespace Granary.Silo.Commands;

/// <summary><c>granary scrub</c>, <c>backup</c>, <c>repository delete</c> and <c>operation</c>: what a running server does beside its work.</summary>
internal static class OperationCommands
{
    private const int Listed = 20;

    public static Command CreateScrub()
    {
        var (server, json, noWait) = (AdminCommand.Server(), AdminCommand.Json(), AdminCommand.NoWait());
        var rate = new Option<int?>("--megabytes-per-second") { Description = "How much it reads at most, instead of scrub.megabytesPerSecond.", HelpName = "N" };
        return AdminCommand.Create(
            "scrub",
            "Checks all bytes and rows while the server works, and waits for the end. Exit status 0: all is well; 2: it found something and says what.",
            [rate, noWait, json, server],
            (result, cancellationToken) => AdminCommand.Run(
                result.GetValue(server)!,
                new StartRequest(OperationKind.Scrub, BytesPerSecond: result.GetValue(rate) * 1_000_000L),
                isWaiting: !result.GetValue(noWait),
                result.GetValue(json),
                cancellationToken));
    }

    public static Command CreateBackup()
    {
        var (server, json, noWait) = (AdminCommand.Server(), AdminCommand.Json(), AdminCommand.NoWait());
        var directory = new Argument<string>("directory") { Description = "Where the backup goes, on the server's machine. One that holds an earlier backup becomes the newer one: only what is new is copied." };
        return AdminCommand.Create(
            "backup",
            "Backs the registry up while the server works, and waits for the end.",
            [directory, noWait, json, server],
            (result, cancellationToken) => AdminCommand.Run(
                result.GetValue(server)!,
                new StartRequest(OperationKind.Backup, Directory: Path.GetFullPath(result.GetValue(directory)!)),
                isWaiting: !result.GetValue(noWait),
                result.GetValue(json),
                cancellationToken));
    }

    public static Command CreateRepository() => new("repository", "Works on a repository as a whole.") { CreateDelete() };

    public static Command CreateOperation() => new("operation", "Shows, watches and cancels what a server does beside its work: collections, scrubs, backups, deletions.")
    {
        CreateStatus(kind: null),
        CreateWatch(kind: null),
        CreateCancel(kind: null),
    };

    public static Command CreateStatus(OperationKind? kind)
    {
        var (server, json) = (AdminCommand.Server(), AdminCommand.Json());
        return AdminCommand.Create(
            kind is null ? "list" : "status",
            "Lists the last ones and where they stand, the newest first.",
            [json, server],
            (result, cancellationToken) =>
            {
                using var client = new AdminClient(result.GetValue(server)!);
                var operations = client.List(kind, Listed, cancellationToken);
                foreach (var operation in operations)
                {
                    Console.WriteLine(result.GetValue(json) ? OperationText.Json(operation) : OperationText.Line(operation));
                }

                if (operations.Count == 0 && !result.GetValue(json))
                {
                    Console.WriteLine("There was none yet.");
                }

                return AdminCommand.Done;
            });
    }

    public static Command CreateWatch(OperationKind? kind)
    {
        var (server, json, id) = (AdminCommand.Server(), AdminCommand.Json(), Id(kind));
        return AdminCommand.Create(
            "watch",
            "Shows one until its end. Exit status 0: done.",
            [id, json, server],
            (result, cancellationToken) =>
            {
                using var client = new AdminClient(result.GetValue(server)!);
                return AdminCommand.Watch(client, Find(client, kind, result.GetValue(id), cancellationToken), result.GetValue(json), cancellationToken);
            });
    }

    public static Command CreateCancel(OperationKind? kind)
    {
        var (server, json, id) = (AdminCommand.Server(), AdminCommand.Json(), Id(kind));
        return AdminCommand.Create(
            "cancel",
            "Stops one at its next step. What it has done stays done.",
            [id, json, server],
            (result, cancellationToken) =>
            {
                using var client = new AdminClient(result.GetValue(server)!);
                var operation = Find(client, kind, result.GetValue(id), cancellationToken);
                if (operation.IsOver)
                {
                    throw new CommandException($"The {OperationText.Title(operation)} {operation.Id} has ended already.");
                }

                operation = client.Cancel(operation.Id, cancellationToken);
                Console.WriteLine(result.GetValue(json) ? OperationText.Json(operation) : OperationText.Line(operation));
                return AdminCommand.Done;
            });
    }

    private static Command CreateDelete()
    {
        var (server, json) = (AdminCommand.Server(), AdminCommand.Json());
        var name = new Argument<string>("name") { Description = "The repository, for example library/app." };
        var yes = new Option<bool>("--yes") { Description = "Do not ask." };
        return AdminCommand.Create(
            "delete",
            "Removes a repository with all its tags and manifests. Blobs that no other repository has go with the collections after it.",
            [name, yes, json, server],
            (result, cancellationToken) =>
            {
                if (!RepositoryName.TryParse(result.GetValue(name)!, out var repository))
                {
                    throw new CommandException($"'{result.GetValue(name)}' is not a repository's name, such as library/app.");
                }

                if (!result.GetValue(yes) && !Confirm($"Remove {repository} with all its tags and manifests? Type its name: ", repository.Value))
                {
                    throw new CommandException("Nothing was removed. Type the name, or say --yes.");
                }

                return AdminCommand.Run(
                    result.GetValue(server)!,
                    new StartRequest(OperationKind.Deletion, Repository: repository),
                    isWaiting: true,
                    result.GetValue(json),
                    cancellationToken);
            });
    }

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
        Description = kind is null ? "Which." : "Which; without it the newest.",
        Arity = kind is null ? ArgumentArity.ExactlyOne : ArgumentArity.ZeroOrOne,
    };

    private static OperationStatus Find(AdminClient client, OperationKind? kind, string? id, CancellationToken cancellationToken)
    {
        if (id is not null)
        {
            return client.Find(id, cancellationToken);
        }

        return client.List(kind, limit: 1, cancellationToken) is [var newest] ? newest : throw new CommandException("There was none yet.");
    }
}
