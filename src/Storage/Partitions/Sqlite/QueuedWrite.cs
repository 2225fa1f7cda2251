namespace Granary.Storage.Partitions.Sqlite;

/// <summary>A batch, or the drop of a partition, that waits for the writer.</summary>
internal sealed class QueuedWrite(
    PartitionKey partition,
    Head expected,
    IReadOnlyList<Mutation>? batch,
    IReadOnlyCollection<CommitNumber> dependsOn)
{
    /// <summary>The number of the commit, which the queue gives.</summary>
    public CommitNumber Number { get; set; }

    public PartitionKey Partition => partition;

    public Head Expected => expected;

    /// <summary>The changes; null drops the partition.</summary>
    public IReadOnlyList<Mutation>? Batch => batch;

    /// <summary>The commits that this one needs.</summary>
    public IReadOnlyCollection<CommitNumber> DependsOn => dependsOn;

    /// <summary>Completes when the write is durable or has failed.</summary>
    public TaskCompletionSource<Head> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Why the transaction leaves this write out: it is stale, or a dependency has failed.</summary>
    public Exception? Refusal { get; set; }

    /// <summary>The bytes of its keys and values.</summary>
    public int Bytes { get; } = batch?.Sum(mutation => mutation.Key.Length + (mutation.Value?.Length ?? 0)) ?? 0;
}
