namespace Granary.Storage.Partitions;

/// <summary>
/// Stores partitions of ordered rows. A partition changes only by atomic batches, under compare-and-swap of its head (docs/architecture.md,
/// "Rows"). Every implementation passes one conformance suite, <c>PartitionStoreContract</c> in tests/Storage.Tests.
/// </summary>
/// <remarks>
/// <list type="bullet">
/// <item>All methods are thread-safe. Calls for different partitions and for one partition may run at once.</item>
/// <item>A read sees every commit that completed before the read began. It may see later commits. It never sees part of a batch, or a
/// batch that was refused.</item>
/// <item>Committed bytes survive the loss of the process and of power.</item>
/// <item>Every method throws <see cref="StorageException"/> for a fault of the storage, and
/// <see cref="OperationCanceledException"/> if its token is cancelled. A store may ignore a cancellation once the work has begun. A store
/// over a network may throw <see cref="StorageFault.Unavailable"/> too while commits change the rows as fast as it reads several of
/// them.</item>
/// <item>The caller keeps to the limits of <see cref="PartitionKey"/>, <see cref="Row"/> and <see cref="Mutation"/>. A store need not
/// check them.</item>
/// </list>
/// </remarks>
public interface IPartitionStore
{
    /// <summary>
    /// How long an activation may answer from memory after it has proved that it owns its partition: by a commit, or by reading the head
    /// that it has. Null if no other process can write to the store while this one runs: then a proof lasts as long as the activation.
    /// </summary>
    TimeSpan? ProofLifetime => null;

    /// <summary>What a batch holds at most if it is to be committed at once. A larger batch is committed too, but takes longer.</summary>
    BatchLimit BatchLimit => BatchLimit.Default;

    /// <summary>Reads the head of a partition. Returns <see cref="Head.None"/> if the partition does not exist. Creates nothing.</summary>
    ValueTask<Head> OpenAsync(PartitionKey partition, CancellationToken cancellationToken);

    /// <summary>
    /// Reads rows by their keys. Returns one value for each key, in the order of <paramref name="keys"/>, and null for a row that does not
    /// exist. All values belong to one version of the partition. The caller never writes to the returned bytes.
    /// </summary>
    ValueTask<RowValues> GetAsync(
        PartitionKey partition,
        IReadOnlyList<string> keys,
        CancellationToken cancellationToken);

    /// <summary>
    /// Reads rows as <see cref="GetAsync"/> does, for a batch that the caller then commits over the head that it has. If another process
    /// commits meanwhile, the values may belong to several versions; then the commit of the caller is refused. So a store over a network
    /// need not read the head here, which is a round trip less before each commit.
    /// </summary>
    ValueTask<RowValues> GetForCommitAsync(
        PartitionKey partition,
        IReadOnlyList<string> keys,
        CancellationToken cancellationToken) => GetAsync(partition, keys, cancellationToken);

    /// <summary>
    /// Reads a page of rows in ordinal order of their keys. All rows of the page belong to one version of the partition; the next page may
    /// belong to a later one. <see cref="PartitionScans"/> reads all pages.
    /// </summary>
    /// <param name="partition">The partition; one that does not exist has no rows.</param>
    /// <param name="prefix">Only rows whose key begins with this; empty for all rows.</param>
    /// <param name="after">Only rows whose key is greater than this, in ordinal order; null to begin with the first. It need not be the key
    /// of a row, and need not begin with <paramref name="prefix"/>.</param>
    /// <param name="limit">The most rows of a page; at least 1. The store may return fewer, but at least one if any row matches.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    ValueTask<RowPage> ScanAsync(PartitionKey partition, string prefix, string? after, int limit, CancellationToken cancellationToken);

    /// <summary>
    /// Commits a whole batch, durably, if the partition's head is <paramref name="expected"/>. The batch may have any number of rows. An
    /// empty batch moves the head too. The first commit of a partition expects <see cref="Head.None"/> and creates the partition.
    /// </summary>
    /// <param name="partition">The partition that changes.</param>
    /// <param name="expected">The head that the batch was made for.</param>
    /// <param name="batch">The changes. The caller does not change the list or its bytes before the call completes.</param>
    /// <param name="cancellationToken">Cancels the call. A cancelled commit may or may not have taken effect.</param>
    /// <returns>The new head. Its version is <see cref="Head.NextVersion"/> of <paramref name="expected"/>.</returns>
    /// <exception cref="HeadMovedException">Another writer has committed. The batch changed nothing.</exception>
    /// <exception cref="StorageException">
    /// The batch may or may not be committed. A caller that needs to know reads the head again. A store that got no answer, and then finds
    /// that several commits have followed, throws this and not <see cref="HeadMovedException"/>.
    /// </exception>
    ValueTask<Head> CommitAsync(PartitionKey partition, Head expected, IReadOnlyList<Mutation> batch, CancellationToken cancellationToken);

    /// <summary>
    /// Queues a batch, which the store then commits as <see cref="CommitAsync"/> does. A store that commits in the order of arrival returns
    /// a number at once, before the commit is durable. Commits of other partitions can depend on it without waiting for it, and share its
    /// sync.
    /// </summary>
    /// <remarks>
    /// A commit is durable only if each commit that it depends on is durable, after a crash too. A dependency of which the store knows no
    /// outcome counts as failed. A store without an order needs no more than this default: its commits have no numbers, and its callers
    /// wait for a commit before they queue what needs it.
    /// </remarks>
    /// <param name="partition">The partition that changes.</param>
    /// <param name="expected">The head that the batch was made for.</param>
    /// <param name="batch">The changes. The caller does not change the list or its bytes before the commit is done.</param>
    /// <param name="dependsOn">Numbers of earlier commits of this store that this commit needs. If one of them failed, or may have failed,
    /// this commit fails with <see cref="StorageException"/> and changes nothing.</param>
    /// <param name="isDeferrable">Whether the store may defer the commit: for a short time it starts no transaction of its own, until
    /// another commit needs one or <see cref="FlushDeferred"/> is called.</param>
    QueuedCommit Queue(
        PartitionKey partition,
        Head expected,
        IReadOnlyList<Mutation> batch,
        IReadOnlyCollection<CommitNumber> dependsOn,
        bool isDeferrable) =>
        dependsOn.Count == 0
            ? new QueuedCommit(Number: null, CommitAsync(partition, expected, batch, CancellationToken.None).AsTask())
            : throw new NotSupportedException("This store has given no commit a number.");

    /// <summary>Flushes deferred commits now: a caller waits for one of them. Returns before they are durable.</summary>
    void FlushDeferred()
    {
    }

    /// <summary>
    /// Removes a partition with all its rows and its head, durably, if the head is <paramref name="expected"/>. The version then starts
    /// again at 0, so that a stale writer could pass the compare-and-swap. Only partitions whose key is never used again are dropped: those
    /// of upload sessions.
    /// </summary>
    /// <exception cref="HeadMovedException">Another writer has committed. Nothing was removed.</exception>
    /// <exception cref="StorageException">The partition may or may not be removed.</exception>
    ValueTask DropAsync(PartitionKey partition, Head expected, CancellationToken cancellationToken);

    /// <summary>
    /// Lists the partitions whose key begins with <paramref name="prefix"/>, in ordinal order. A partition that is created or dropped
    /// meanwhile may be listed or not. Slow: for tools and upgrades, never for periodic work.
    /// </summary>
    IAsyncEnumerable<PartitionKey> PartitionsAsync(string prefix, CancellationToken cancellationToken);
}
