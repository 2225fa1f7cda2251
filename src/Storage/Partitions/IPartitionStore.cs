namespace Granary.Storage.Partitions;

/// <summary>
/// Partitions of ordered rows, each changed only by atomic batches under compare-and-swap of its head (docs/architecture.md, "Rows").
/// Every implementation passes one conformance suite, <c>PartitionStoreContract</c> in tests/Storage.Tests.
/// </summary>
/// <remarks>
/// All methods throw <see cref="StorageException"/> for a fault of the storage, and <see cref="OperationCanceledException"/>.
/// Reads see exactly what was committed before they began, or later.
/// </remarks>
public interface IPartitionStore
{
    /// <summary>Reads where a partition stands; <see cref="Head.None"/> if it does not exist.</summary>
    ValueTask<Head> OpenAsync(PartitionKey partition, CancellationToken cancellationToken);

    /// <summary>Reads rows by their keys; the answer has the order of <paramref name="keys"/>, and null where there is no row. All values are of one moment.</summary>
    ValueTask<IReadOnlyList<ReadOnlyMemory<byte>?>> GetAsync(PartitionKey partition, IReadOnlyList<string> keys, CancellationToken cancellationToken);

    /// <summary>
    /// Reads the first rows whose key begins with <paramref name="prefix"/> and is greater than <paramref name="after"/>, in ordinal order of their keys:
    /// at most <paramref name="limit"/>, at least 1, and fewer if they are large. <see cref="PartitionScans"/> reads on from there.
    /// </summary>
    ValueTask<RowPage> ScanAsync(PartitionKey partition, string prefix, string? after, int limit, CancellationToken cancellationToken);

    /// <summary>
    /// Makes a batch true, all of it or nothing, and durable before this returns, if the partition's head is still <paramref name="expected"/>.
    /// The batch may have any size, and may be empty: that still moves the head.
    /// </summary>
    /// <returns>The new head.</returns>
    /// <exception cref="HeadMovedException">Someone else committed: nothing of the batch was done.</exception>
    /// <exception cref="StorageException">It may or may not have been committed; who needs to know opens the partition again.</exception>
    ValueTask<Head> CommitAsync(PartitionKey partition, Head expected, IReadOnlyList<Mutation> batch, CancellationToken cancellationToken);

    /// <summary>
    /// Queues a batch that becomes true as with <see cref="CommitAsync"/>, and not before all that were queued earlier are settled. Its number is known at once, so that others can rest on
    /// it who would else have to wait for it first: two partitions change one after the other, and share a sync.
    /// </summary>
    /// <remarks>A store without such an order needs no more than this: its commits have no numbers, and so nobody rests on them.</remarks>
    /// <param name="partition">Whose rows change.</param>
    /// <param name="expected">Its head.</param>
    /// <param name="batch">The changes.</param>
    /// <param name="dependsOn">Numbers of commits without which this one must not become true: if one of them has failed, or may have, it fails with <see cref="StorageException"/>.</param>
    /// <param name="isDeferrable">Whether it may wait a moment for others to share a sync with, or for <see cref="FlushDeferred"/>.</param>
    QueuedCommit Queue(PartitionKey partition, Head expected, IReadOnlyList<Mutation> batch, IReadOnlyCollection<CommitNumber> dependsOn, bool isDeferrable) =>
        dependsOn.Count == 0
            ? new QueuedCommit(Number: null, CommitAsync(partition, expected, batch, CancellationToken.None).AsTask())
            : throw new NotSupportedException("This store has given no commit a number.");

    /// <summary>Somebody waits now for what was queued as able to wait.</summary>
    void FlushDeferred()
    {
    }

    /// <summary>
    /// Removes a partition with all its rows and its head, if that is still <paramref name="expected"/>. For upload sessions only: the version starts again at 0.
    /// </summary>
    /// <exception cref="HeadMovedException">Someone else committed: nothing was done.</exception>
    ValueTask DropAsync(PartitionKey partition, Head expected, CancellationToken cancellationToken);

    /// <summary>Walks the partitions whose key begins with <paramref name="prefix"/>, in ordinal order. Slow: for tools, never for anything periodic.</summary>
    IAsyncEnumerable<PartitionKey> PartitionsAsync(string prefix, CancellationToken cancellationToken);
}
