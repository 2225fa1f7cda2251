using System.CommandLine;
using Granary.Gateway.Admin;
using Granary.Grains.Interfaces.Operations;

namespace Granary.Silo.Commands;

/// <summary>
/// <c>granary gc</c>: starts a collection now, forecasts one, and explains why content stays. The server also collects by itself.
/// </summary>
internal static class GcCommand
{
    // A client that asks whether a layer exists pushes the manifest that names the layer within this time. With a shorter grace period
    // a collection deletes the layer in between.
    private static readonly TimeSpan SafeGrace = TimeSpan.FromMinutes(10);

    public static Command Create() => new("gc", "Collects garbage now, tells what would go, and explains why content is kept.")
    {
        CreateRun(),
        OperationCommands.CreateStatus(OperationKind.Collection),
        OperationCommands.CreateWatch(OperationKind.Collection),
        OperationCommands.CreateCancel(OperationKind.Collection),
        CreateExplain(),
    };

    private static Command CreateRun()
    {
        var (server, json, noWait) = (new Connection(), AdminCommand.Json(), AdminCommand.NoWait());
        var dryRun = new Option<bool>("--dry-run") { Description = "Tell what would go, and delete nothing." };
        var grace = AdminCommand.Duration(
            "--grace",
            "How long blobs that no manifest uses are kept, instead of lifetimes.linkGrace and lifetimes.blobGrace. " +
            "Under 10m, clients that are pushing may have to push a layer again.");
        var untagged = AdminCommand.Duration(
            "--untagged-age",
            "Also delete manifests that no tag leads to, and that lost their last tag longer ago than this (or were pushed, if they " +
            "never had one).");
        return AdminCommand.Create(
            "run",
            "Collects garbage now, and waits for the end. Exit status 0: done; 1: failed or cancelled.",
            [dryRun, grace, untagged, noWait, json, .. server.Options],
            async (result, cancellationToken) =>
            {
                if (result.GetValue(grace) < SafeGrace && !result.GetValue(dryRun))
                {
                    await Console.Error.WriteLineAsync(
                        $"granary: with --grace under {SafeGrace.TotalMinutes}m, clients that are pushing may have to push a layer again.");
                }

                using var client = server.Open(result);
                return await AdminCommand.RunAsync(
                    client,
                    new StartRequest(OperationKind.Collection, result.GetValue(dryRun), result.GetValue(grace), result.GetValue(untagged)),
                    isWaiting: !result.GetValue(noWait),
                    result.GetValue(json),
                    cancellationToken);
            });
    }

    private static Command CreateExplain()
    {
        var (server, json) = (new Connection(), AdminCommand.Json());
        var repository = new Argument<string>("repository") { Description = "The repository, for example library/app." };
        var reference = new Argument<string>("reference") { Description = "A tag, or the digest of a manifest or a blob." };
        return AdminCommand.Create(
            "explain",
            "Says why a manifest or a blob is kept, or when it is deleted: which tags, manifests and leases hold it. Exit status 1: the " +
            "repository does not have it.",
            [repository, reference, json, .. server.Options],
            async (result, cancellationToken) =>
            {
                using var client = server.Open(result);
                var (name, content) = (result.GetValue(repository)!, result.GetValue(reference)!);
                var explanation = await client.ExplainAsync(name, content, cancellationToken);
                if (result.GetValue(json))
                {
                    Console.WriteLine(explanation.GetRawText());
                }
                else
                {
                    foreach (var line in explanation.GetProperty("text").EnumerateArray())
                    {
                        Console.WriteLine(line.GetString());
                    }
                }

                return explanation.GetProperty("isKnown").GetBoolean() ? AdminCommand.Done : GranaryCommand.Failed;
            });
    }
}
