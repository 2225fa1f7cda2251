using Orleans.Concurrency;

namespace Granary.Grains.Interfaces.Operations;

/// <summary>
/// Long work that an administrator starts: collections, scrubs, backups, the removal of a repository. There is one grain, with the key 0. It keeps what was asked and how far it
/// is, durably; a worker in some silo does the work in steps, and another goes on where one died.
/// </summary>
/// <remarks>All methods throw <see cref="PartitionUnavailableException"/>.</remarks>
[Alias("granary.operations")]
public interface IOperationsGrain : IGrainWithIntegerKey
{
    /// <summary>Starts an operation, unless one of the same kind waits or runs.</summary>
    [AlwaysInterleave, Alias("start")]
    Task<OperationStarted> Start(OperationRequest request, CancellationToken cancellationToken);

    /// <summary>An operation as it stands; null if it is unknown.</summary>
    [AlwaysInterleave, Alias("find")]
    Task<OperationStatus?> Find(string id, CancellationToken cancellationToken);

    /// <summary>The newest operations, the newest first.</summary>
    /// <param name="kind">Only of this kind; null for all.</param>
    /// <param name="limit">At most so many.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("list")]
    Task<OperationStatus[]> List(OperationKind? kind, int limit, CancellationToken cancellationToken);

    /// <summary>Asks an operation to stop at its next step. What it has done stays done. Null if it is unknown.</summary>
    [AlwaysInterleave, Alias("cancel")]
    Task<OperationStatus?> Cancel(string id, CancellationToken cancellationToken);

    /// <summary>For workers: takes over an operation that nobody works on; null if there is none.</summary>
    [AlwaysInterleave, Alias("claim")]
    Task<OperationStatus?> Claim(Guid worker, CancellationToken cancellationToken);

    /// <summary>For workers: records how far the work is. False: it is cancelled, or somebody else's by now.</summary>
    [AlwaysInterleave, Alias("report")]
    Task<bool> Report(string id, Guid worker, OperationProgress progress, CancellationToken cancellationToken);

    /// <summary>For workers: records how the work ended.</summary>
    [AlwaysInterleave, Alias("finish")]
    Task Finish(string id, Guid worker, OperationProgress progress, string? error, CancellationToken cancellationToken);
}

/// <summary>What is to be done.</summary>
[GenerateSerializer, Alias("granary.operation-kind")]
public enum OperationKind
{
    /// <summary>Collect garbage.</summary>
    Collection,

    /// <summary>Check all bytes and rows.</summary>
    Scrub,

    /// <summary>Remove a repository as a whole.</summary>
    Deletion,

    /// <summary>Copy the registry while it serves.</summary>
    Backup,
}

/// <summary>Where an operation stands.</summary>
[GenerateSerializer, Alias("granary.operation-state")]
public enum OperationState
{
    /// <summary>No worker has taken it yet.</summary>
    Waiting,

    /// <summary>It is being worked on.</summary>
    Running,

    /// <summary>It was cancelled, and will stop at its next step.</summary>
    Cancelling,

    /// <summary>It is done.</summary>
    Done,

    /// <summary>It was cancelled and has stopped.</summary>
    Cancelled,

    /// <summary>It failed; the reason is with it.</summary>
    Failed,
}

/// <summary>What an operation is to do.</summary>
[GenerateSerializer, Immutable, Alias("granary.operation-request")]
public sealed record OperationRequest
{
    /// <summary>What.</summary>
    [Id(0)]
    public required OperationKind Kind { get; init; }

    /// <summary>A collection: only tell what would go.</summary>
    [Id(1)]
    public bool DryRun { get; init; }

    /// <summary>A collection: how long unused blobs stay, in repositories and after them; null for the settings.</summary>
    [Id(2)]
    public TimeSpan? Grace { get; init; }

    /// <summary>A collection: also manifests that no tag leads to, if they were pushed longer ago than this.</summary>
    [Id(3)]
    public TimeSpan? UntaggedAge { get; init; }

    /// <summary>A deletion: which repository.</summary>
    [Id(4)]
    public string? Repository { get; init; }

    /// <summary>A backup: the directory on the server's machine.</summary>
    [Id(5)]
    public string? Directory { get; init; }

    /// <summary>A scrub: how many bytes it reads in a second at most; null for the setting.</summary>
    [Id(6)]
    public long? BytesPerSecond { get; init; }

    /// <summary>Do nothing if one of the same kind with the same <see cref="UntaggedAge"/> was started more recently than this.</summary>
    [Id(7)]
    public TimeSpan? AtMostEvery { get; init; }
}

/// <summary>How far an operation is.</summary>
[GenerateSerializer, Immutable, Alias("granary.operation-progress")]
public sealed record OperationProgress
{
    /// <summary>Steps that are done; a worker that takes over begins with the one after them.</summary>
    [Id(0)]
    public long Done { get; init; }

    /// <summary>All steps, as far as is known.</summary>
    [Id(1)]
    public long Total { get; init; }

    /// <summary>What came of it, by name.</summary>
    [Id(2)]
    public required IReadOnlyDictionary<string, long> Counts { get; init; }

    /// <summary>What somebody should look at, the first hundred.</summary>
    [Id(3)]
    public required string[] Findings { get; init; }
}

/// <summary>An operation.</summary>
[GenerateSerializer, Immutable, Alias("granary.operation-status")]
public sealed record OperationStatus
{
    /// <summary>Its name.</summary>
    [Id(0)]
    public required string Id { get; init; }

    /// <summary>What it is to do.</summary>
    [Id(1)]
    public required OperationRequest Request { get; init; }

    /// <summary>Where it stands.</summary>
    [Id(2)]
    public required OperationState State { get; init; }

    /// <summary>How far it is.</summary>
    [Id(3)]
    public required OperationProgress Progress { get; init; }

    /// <summary>When it was asked for.</summary>
    [Id(4)]
    public required DateTimeOffset Created { get; init; }

    /// <summary>When it ended.</summary>
    [Id(5)]
    public DateTimeOffset? Ended { get; init; }

    /// <summary>Why it failed.</summary>
    [Id(6)]
    public string? Error { get; init; }

    /// <summary>Whether it has ended.</summary>
    public bool IsOver => State is OperationState.Done or OperationState.Cancelled or OperationState.Failed;
}

/// <summary>What became of a start.</summary>
/// <param name="Operation">The operation: the new one, or the one that is in the way.</param>
/// <param name="IsNew">Whether it is the new one.</param>
[GenerateSerializer, Immutable, Alias("granary.operation-started")]
public sealed record OperationStarted([property: Id(0)] OperationStatus Operation, [property: Id(1)] bool IsNew);
