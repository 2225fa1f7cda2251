namespace Granary.Grains.Interfaces.Operations;

/// <summary>The state of an operation.</summary>
[GenerateSerializer, Alias("granary.operation-state")]
public enum OperationState
{
    /// <summary>No worker has claimed it yet.</summary>
    Waiting,

    /// <summary>A worker runs it.</summary>
    Running,

    /// <summary>An administrator has cancelled it; the worker stops before the next step.</summary>
    Cancelling,

    /// <summary>It is done.</summary>
    Done,

    /// <summary>It was cancelled and has stopped.</summary>
    Cancelled,

    /// <summary>It failed; <see cref="OperationStatus.Error"/> says why.</summary>
    Failed,
}

/// <summary>The progress of an operation.</summary>
[GenerateSerializer, Immutable, Alias("granary.operation-progress")]
public sealed record OperationProgress
{
    /// <summary>Steps that are done. A worker that takes over begins with the next one.</summary>
    [Id(0)]
    public long Done { get; init; }

    /// <summary>All steps, as far as is known.</summary>
    [Id(1)]
    public long Total { get; init; }

    /// <summary>The results so far, by name.</summary>
    [Id(2)]
    public required IReadOnlyDictionary<string, long> Counts { get; init; }

    /// <summary>The first hundred faults that the operation has found.</summary>
    [Id(3)]
    public required string[] Findings { get; init; }
}

/// <summary>An operation with its progress.</summary>
[GenerateSerializer, Immutable, Alias("granary.operation-status")]
public sealed record OperationStatus
{
    /// <summary>The id.</summary>
    [Id(0)]
    public required string Id { get; init; }

    /// <summary>The request.</summary>
    [Id(1)]
    public required OperationRequest Request { get; init; }

    /// <summary>The state.</summary>
    [Id(2)]
    public required OperationState State { get; init; }

    /// <summary>The progress.</summary>
    [Id(3)]
    public required OperationProgress Progress { get; init; }

    /// <summary>When it was requested.</summary>
    [Id(4)]
    public required DateTimeOffset Created { get; init; }

    /// <summary>When it ended; null before.</summary>
    [Id(5)]
    public DateTimeOffset? Ended { get; init; }

    /// <summary>Why it failed; null if it did not.</summary>
    [Id(6)]
    public string? Error { get; init; }

    /// <summary>Whether it has ended.</summary>
    public bool IsOver => State is OperationState.Done or OperationState.Cancelled or OperationState.Failed;
}

/// <summary>The answer to the start of an operation.</summary>
/// <param name="Operation">The new operation, or the one that prevents it.</param>
/// <param name="IsNew">Whether it is the new one.</param>
[GenerateSerializer, Immutable, Alias("granary.operation-started")]
public sealed record OperationStarted([property: Id(0)] OperationStatus Operation, [property: Id(1)] bool IsNew);
