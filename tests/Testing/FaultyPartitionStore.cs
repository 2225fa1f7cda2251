using Granary.Storage;
using Granary.Storage.Partitions;

namespace Granary.Testing;

/// <summary>How a commit fails.</summary>
public enum CommitFault
{
    /// <summary>The commit succeeds.</summary>
    None,

    /// <summary>The commit fails and changes nothing.</summary>
    Before,

    /// <summary>The commit takes effect, and its caller gets a failure.</summary>
    After,
}

/// <summary>A store whose commits fail on demand.</summary>
public sealed class FaultyPartitionStore(IPartitionStore inner) : IPartitionStore
{
    /// <summary>Decides how each commit fails. Many threads call it.</summary>
    public Func<PartitionKey, CommitFault> OnCommit { get; set; } = _ => CommitFault.None;

    /// <summary>Runs before each commit, which waits for it.</summary>
    public Func<PartitionKey, Task> BeforeCommit { get; set; } = _ => Task.CompletedTask;

    public TimeSpan? ProofLifetime { get; set; } = inner.ProofLifetime;

    public BatchLimit BatchLimit => inner.BatchLimit;

    public ValueTask<Head> OpenAsync(PartitionKey partition, CancellationToken cancellationToken) =>
        inner.OpenAsync(partition, cancellationToken);

    public ValueTask<RowValues> GetAsync(
        PartitionKey partition,
        IReadOnlyList<string> keys,
        CancellationToken cancellationToken) =>
        inner.GetAsync(partition, keys, cancellationToken);

    public ValueTask<RowValues> GetForCommitAsync(
        PartitionKey partition,
        IReadOnlyList<string> keys,
        CancellationToken cancellationToken) =>
        inner.GetForCommitAsync(partition, keys, cancellationToken);

    public ValueTask<RowPage> ScanAsync(
        PartitionKey partition,
        string prefix,
        string? after,
        int limit,
        CancellationToken cancellationToken) =>
        inner.ScanAsync(partition, prefix, after, limit, cancellationToken);

    public async ValueTask<Head> CommitAsync(
        PartitionKey partition,
        Head expected,
        IReadOnlyList<Mutation> batch,
        CancellationToken cancellationToken)
    {
        await BeforeCommit(partition);
        var fault = OnCommit(partition);
        if (fault == CommitFault.Before)
        {
            throw new StorageException(StorageFault.Unavailable, "The test lets this commit fail before it takes effect.");
        }

        var head = await inner.CommitAsync(partition, expected, batch, cancellationToken);
        return fault == CommitFault.None
            ? head
            : throw new StorageException(StorageFault.Unavailable, "The test lets this commit fail after it took effect.");
    }

    public ValueTask DropAsync(PartitionKey partition, Head expected, CancellationToken cancellationToken) =>
        inner.DropAsync(partition, expected, cancellationToken);

    public IAsyncEnumerable<PartitionKey> PartitionsAsync(string prefix, CancellationToken cancellationToken) =>
        inner.PartitionsAsync(prefix, cancellationToken);
}
