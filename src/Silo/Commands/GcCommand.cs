using System.CommandLine;
using Granary.Gateway.Admin;
using Granary.Grains.Interfaces.Operations;

namespace Granary.Silo.Commands;

/// <summary><c>granary gc</c>: garbage is collected all the time; this is for who wants it now, wants to know what would go, or why something stays.</summary>
internal static class GcCommand
{
    // A push that asked for a layer, and was told that it is there, names it in a manifest within this.
    private static readonly TimeSpan SafeGrace = TimeSpan.FromMinutes(10);

    public static Command Create() => new("gc", "Collects garbage now, tells what would go, or why something stays.")
    {
        CreateRun(),
        OperationCommands.CreateStatus(OperationKind.Collection),
        OperationCommands.CreateWatch(OperationKind.Collection),
        OperationCommands.CreateCancel(OperationKind.Collection),
        CreateExplain(),
    };

    private static Command CreateRun()
    {
        var (server, json, noWait) = (AdminCommand.Server(), AdminCommand.Json(), AdminCommand.NoWait());
        var dryRun = new Option<bool>("--dry-run") { Description = "Only tell what would go." };
        var grace = AdminCommand.Duration(
            "--grace",
            "How long blobs stay that no manifest uses, in their repositories and after them, instead of lifetimes.linkGrace and lifetimes.blobGrace. Under 10m, clients that push just now may have to push a layer again.");
        var untagged = AdminCommand.Duration("--untagged-age", "Also remove manifests that no tag leads to and that were pushed longer ago than this.");
        return AdminCommand.Create(
            "run",
            "Collects what is garbage by now, and waits for the end. Exit status 0: done.",
            [dryRun, grace, untagged, noWait, json, server],
            (result, cancellationToken) =>
            {
                if (result.GetValue(grace) < SafeGrace && !result.GetValue(dryRun))
                {
                    Console.Error.WriteLine($"granary: with a grace under {SafeGrace.TotalMinutes} minutes, clients that push just now may have to push a layer again.");
                }

                return AdminCommand.Run(
                    result.GetValue(server)!,
                    new StartRequest(OperationKind.Collection, result.GetValue(dryRun), result.GetValue(grace), result.GetValue(untagged)),
                    isWaiting: !result.GetValue(noWait),
                    result.GetValue(json),
                    cancellationToken);
            });
    }

    private static Command CreateExplain()
    {
        var (server, json) = (AdminCommand.Server(), AdminCommand.Json());
        var repository = new Argument<string>("repository") { Description = "The repository, for example library/app." };
        var digest = new Argument<string>("digest") { Description = "The digest of a manifest or a blob." };
        return AdminCommand.Create(
            "explain",
            "Says why a manifest or a blob is kept, or when it goes: the tags, manifests and leases that hold it.",
            [repository, digest, json, server],
            (result, cancellationToken) =>
            {
                using var client = new AdminClient(result.GetValue(server)!);
                var explanation = client.Explain(result.GetValue(repository)!, result.GetValue(digest)!, cancellationToken);
                if (result.GetValue(json))
                {
                    Console.WriteLine(explanation.GetRawText());
                    return AdminCommand.Done;
                }

                foreach (var line in explanation.GetProperty("text").EnumerateArray())
                {
                    Console.WriteLine(line.GetString());
                }

                return AdminCommand.Done;
            });
    }
}
