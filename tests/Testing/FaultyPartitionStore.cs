using Granary.Storage;
using Granary.Storage.Partitions;

namespace Granary.Testing;

/// <summary>What happens to a commit.</summary>
public enum CommitFault
{
    /// <summary>It works.</summary>
    None,

    /// <summary>It fails, and nothing was done.</summary>
    Before,

    /// <summary>It is done, and yet it looks as if it had failed.</summary>
    After,
}

/// <summary>A store whose commits fail when the test says so.</summary>
public sealed class FaultyPartitionStore(IPartitionStore inner) : IPartitionStore
{
    /// <summary>Decides what happens to each commit; called by many threads.</summary>
    public Func<PartitionKey, CommitFault> OnCommit { get; set; } = _ => CommitFault.None;

    /// <summary>Waited for before each commit.</summary>
    public Func<PartitionKey, Task> BeforeCommit { get; set; } = _ => Task.CompletedTask;

    public ValueTask<Head> OpenAsync(PartitionKey partition, CancellationToken cancellationToken) => inner.OpenAsync(partition, cancellationToken);

    public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>?>> GetAsync(PartitionKey partition, IReadOnlyList<string> keys, CancellationToken cancellationToken) =>
        inner.GetAsync(partition, keys, cancellationToken);

    public ValueTask<RowPage> ScanAsync(PartitionKey partition, string prefix, string? after, int limit, CancellationToken cancellationToken) =>
        inner.ScanAsync(partition, prefix, after, limit, cancellationToken);

    public async ValueTask<Head> CommitAsync(PartitionKey partition, Head expected, IReadOnlyList<Mutation> batch, CancellationToken cancellationToken)
    {
        await BeforeCommit(partition);
        var fault = OnCommit(partition);
        if (fault == CommitFault.Before)
        {
            throw new StorageException(StorageFault.Unavailable, "The test lets this commit fail before it is done.");
        }

        var head = await inner.CommitAsync(partition, expected, batch, cancellationToken);
        return fault == CommitFault.None ? head : throw new StorageException(StorageFault.Unavailable, "The test lets this commit fail after it is done.");
    }

    public ValueTask DropAsync(PartitionKey partition, Head expected, CancellationToken cancellationToken) => inner.DropAsync(partition, expected, cancellationToken);

    public IAsyncEnumerable<PartitionKey> PartitionsAsync(string prefix, CancellationToken cancellationToken) => inner.PartitionsAsync(prefix, cancellationToken);
}
