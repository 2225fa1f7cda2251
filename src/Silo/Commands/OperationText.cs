using System.Text;
using Granary.Gateway.Admin;
using Granary.Grains.Interfaces.Operations;

namespace Granary.Silo.Commands;

/// <summary>Describes operations and their results in words.</summary>
internal static class OperationText
{
    private const string Nothing = "nothing to do";

    public static string Json(OperationStatus operation) => Encoding.UTF8.GetString(OperationJson.Of(operation).Span);

    public static string Name(OperationKind kind) => kind.ToString().ToLowerInvariant();

    public static string Title(OperationStatus operation) => operation.Request switch
    {
        { Kind: OperationKind.Collection, DryRun: true } => "collection (dry run)",
        { Kind: OperationKind.Deletion } request => $"deletion of {request.Repository}",
        { Kind: OperationKind.Backup } request => $"backup to {request.Directory}",
        var request => Name(request.Kind),
    };

    /// <summary>Returns one line: id, state, percentage, title and results.</summary>
    public static string Line(OperationStatus operation) =>
        $"{operation.Id}  {operation.State.ToString().ToLowerInvariant(),-10}  {Percent(operation),3:0}%  {Title(operation)}" +
        (Results(operation) is { Length: > 0 } results ? ": " + results : "");

    public static double Percent(OperationStatus operation) => operation switch
    {
        { State: OperationState.Done } => 100,
        { Progress: { Total: > 0 } progress } => Math.Min(100, 100.0 * progress.Done / progress.Total),
        _ => 0,
    };

    public static string Results(OperationStatus operation) => OperationResults.Text(operation.Request.Kind, operation.Progress.Counts);

    /// <summary>Returns whether the operation deleted a repository that did not exist.</summary>
    public static bool IsDeletionOfNothing(OperationStatus operation) =>
        operation is { State: OperationState.Done, Request.Kind: OperationKind.Deletion }
        && operation.Progress.Counts.Values.All(count => count == 0);

    /// <summary>Returns the lines that describe the end of an operation: its results, then each finding.</summary>
    public static IEnumerable<string> EndLines(OperationStatus operation)
    {
        var results = Results(operation) is { Length: > 0 } text ? text : operation.Request.DryRun ? "nothing" : Nothing;
        yield return operation switch
        {
            { State: OperationState.Failed } => $"The {Title(operation)} failed: {operation.Error}",
            { State: OperationState.Cancelled } => $"The {Title(operation)} was cancelled; until then: {results}.",
            _ when IsDeletionOfNothing(operation) => $"There is no repository {operation.Request.Repository}: nothing was deleted.",
            { Request.DryRun: true } => $"What a collection would remove: {results}.",
            { Request.Kind: OperationKind.Collection or OperationKind.Deletion, State: OperationState.Done } when results != Nothing =>
                $"The {Title(operation)} is done; it removed {results}.",
            _ => $"The {Title(operation)} is done: {results}.",
        };
        foreach (var finding in operation.Progress.Findings)
        {
            yield return "! " + finding;
        }
    }
}
