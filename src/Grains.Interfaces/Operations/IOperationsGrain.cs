using Orleans.Concurrency;

namespace Granary.Grains.Interfaces.Operations;

/// <summary>
/// The list of operations: collections, scrubs, backups, deletions of repositories. There is one grain, with the key 0. It commits each
/// request and its progress. A worker in one silo claims an operation and runs it in steps. If the worker dies, another one continues after
/// the last step.
/// </summary>
/// <remarks>All methods throw <see cref="PartitionUnavailableException"/>.</remarks>
[Alias("granary.operations")]
public interface IOperationsGrain : IGrainWithIntegerKey
{
    /// <summary>Starts an operation, unless one of the same kind waits or runs.</summary>
    [AlwaysInterleave, Alias("start")]
    Task<OperationStarted> Start(OperationRequest request, CancellationToken cancellationToken);

    /// <summary>Returns an operation; null if the id is unknown.</summary>
    [AlwaysInterleave, Alias("find")]
    Task<OperationStatus?> Find(string id, CancellationToken cancellationToken);

    /// <summary>Returns operations, the newest first.</summary>
    /// <param name="kind">Only this kind; null for all.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("list")]
    Task<OperationStatus[]> List(OperationKind? kind, int limit, CancellationToken cancellationToken);

    /// <summary>Asks an operation to stop before its next step. Steps that are done stay done. Returns null if the id is unknown.</summary>
    [AlwaysInterleave, Alias("cancel")]
    Task<OperationStatus?> Cancel(string id, CancellationToken cancellationToken);

    /// <summary>Gives a worker the claim on an operation that no worker runs. Returns null if there is none.</summary>
    [AlwaysInterleave, Alias("claim")]
    Task<OperationStatus?> Claim(Guid worker, CancellationToken cancellationToken);

    /// <summary>
    /// Records the progress of a worker, and extends its claim. Returns false if the operation is cancelled, or if another worker has the
    /// claim: the caller stops then.
    /// </summary>
    [AlwaysInterleave, Alias("report")]
    Task<bool> Report(string id, Guid worker, OperationProgress progress, CancellationToken cancellationToken);

    /// <summary>Records the end of an operation, unless another worker has the claim.</summary>
    [AlwaysInterleave, Alias("finish")]
    Task Finish(string id, Guid worker, OperationProgress progress, string? error, CancellationToken cancellationToken);
}
