using System.Globalization;
using System.Text;
using Granary.Gateway.Admin;
using Granary.Grains.Interfaces.Operations;

namespace Granary.Silo.Commands;

/// <summary>Says in words what an operation is and what came of it.</summary>
internal static class OperationText
{
    // What there may be to count, in the order in which it is told.
    private static readonly (string Name, string Text)[] Counts =
    [
        ("repositories", "repositories checked"),
        ("manifests", "manifests"),
        ("unlinked", "blobs left their repositories"),
        ("blobs", "blobs"),
        ("objects", "objects"),
        ("uploads", "uploads given up"),
        ("removed", "rows removed"),
        ("bytes", "of them"),
        ("copied", "objects copied"),
        ("damaged", "blobs are DAMAGED"),
        ("damagedRows", "rows were DAMAGED"),
        ("pinned", "references made again"),
        ("mended", "damaged blobs mended"),
        ("reclaimed", "objects of nobody removed"),
        ("reclaimedBytes", "of those"),
    ];

    public static string Json(OperationStatus operation) => Encoding.UTF8.GetString(OperationJson.Of(operation).Span);

    public static string Name(OperationKind kind) => kind.ToString().ToLowerInvariant();

    public static string Title(OperationStatus operation) => operation.Request switch
    {
        { Kind: OperationKind.Collection, DryRun: true } => "collection (dry run)",
        { Kind: OperationKind.Deletion } request => $"deletion of {request.Repository}",
        { Kind: OperationKind.Backup } request => $"backup to {request.Directory}",
        var request => Name(request.Kind),
    };

    /// <summary>One line: which, where it stands, how far.</summary>
    public static string Line(OperationStatus operation) =>
        $"{operation.Id}  {operation.State.ToString().ToLowerInvariant(),-10}  {Percent(operation),3:0}%  {Title(operation)}{(Results(operation) is { Length: > 0 } results ? ": " + results : "")}";

    public static double Percent(OperationStatus operation) => operation switch
    {
        { State: OperationState.Done } => 100,
        { Progress: { Total: > 0 } progress } => Math.Min(100, 100.0 * progress.Done / progress.Total),
        _ => 0,
    };

    public static string Results(OperationStatus operation) => string.Join(
        ", ",
        Counts
            .Where(count => operation.Progress.Counts.GetValueOrDefault(count.Name) > 0)
            .Select(count => $"{(count.Name is "bytes" or "reclaimedBytes" ? Bytes(operation.Progress.Counts[count.Name]) : operation.Progress.Counts[count.Name].ToString(CultureInfo.InvariantCulture))} {count.Text}"));

    /// <summary>Returns whether it was to delete a repository, and there was none.</summary>
    public static bool IsDeletionOfNothing(OperationStatus operation) =>
        operation is { State: OperationState.Done, Request.Kind: OperationKind.Deletion }
        && operation.Progress.Counts.Values.All(count => count == 0);

    /// <summary>How it ended, and what somebody should look at.</summary>
    public static IEnumerable<string> End(OperationStatus operation)
    {
        var results = Results(operation) is { Length: > 0 } text ? text : "nothing to do";
        yield return operation switch
        {
            { State: OperationState.Failed } => $"The {Title(operation)} failed: {operation.Error}",
            { State: OperationState.Cancelled } => $"The {Title(operation)} was cancelled; until then: {results}.",
            _ when IsDeletionOfNothing(operation) => $"There is no repository {operation.Request.Repository}: nothing was deleted.",
            { Request.DryRun: true } => $"What a collection would remove: {results}.",
            _ => $"The {Title(operation)} is done: {results}.",
        };
        foreach (var finding in operation.Progress.Findings)
        {
            yield return "! " + finding;
        }
    }

    private static string Bytes(long count)
    {
        string[] units = ["bytes", "KB", "MB", "GB", "TB"];
        var (number, unit) = ((double)count, 0);
        while (number >= 1000 && unit < units.Length - 1)
        {
            (number, unit) = (number / 1000, unit + 1);
        }

        return string.Create(CultureInfo.InvariantCulture, $"{number:0.#} {units[unit]}");
    }
}
