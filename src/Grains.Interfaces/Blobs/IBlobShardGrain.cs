using Granary.Protocol;
using Orleans.Concurrency;

namespace Granary.Grains.Interfaces.Blobs;

/// <summary>
/// A shard: one of the 256 grains that know which blobs exist and which repositories refer to them. The key is the first byte of the digest
/// (docs/architecture.md, "Blob references"). Repositories and the sweep call it. It calls no grain.
/// </summary>
/// <remarks>All methods throw <see cref="PartitionUnavailableException"/>. All may be repeated.</remarks>
[Alias("granary.blob-shard")]
public interface IBlobShardGrain : IGrainWithIntegerKey
{
    /// <summary>
    /// Records a blob if it is new, and a repository's reference to it if the sequence of the command is newer than that of the reference.
    /// Refuses an object with a tombstone, a doomed object, and an object after its deadline (<c>tomb</c>, <c>late</c>). The caller's
    /// commit depends on <see cref="Acquired.DependsOn"/>, since the reference may not be durable yet.
    /// </summary>
    [AlwaysInterleave, Alias("acquire")]
    Task<AcquireAnswer> Acquire(AcquireBlob command, CancellationToken cancellationToken);

    /// <summary>Removes references in one commit, each unless it is newer than its release (<c>seq</c>).</summary>
    [AlwaysInterleave, Alias("release-all")]
    Task Release([Immutable] ReleasedReference[] references, CancellationToken cancellationToken);

    /// <summary>Decides about the object of a sealed upload: the blob keeps it, or a tombstone ends it (<c>ren</c>).</summary>
    [AlwaysInterleave, Alias("renounce")]
    Task<RenounceAnswer> Renounce(Digest digest, ObjectId @object, DateTimeOffset deadline, CancellationToken cancellationToken);

    /// <summary>
    /// Returns repositories that refer to a blob, in ordinal order: candidates for a mount without a source. The caller asks each whether
    /// it still has the blob.
    /// </summary>
    /// <param name="digest">The blob.</param>
    /// <param name="after">Only repositories after this one.</param>
    /// <param name="limit">The most repositories to return.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("repositories")]
    Task<RepositoryName[]> FindRepositories(Digest digest, RepositoryName? after, int limit, CancellationToken cancellationToken);

    /// <summary>Returns the first entries that are due, at most <paramref name="limit"/> of all kinds together.</summary>
    /// <param name="limit">The most entries to return.</param>
    /// <param name="blobGrace">The grace period of blobs without references; null for the setting.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("due"), ResponseTimeout(CallTimeouts.Slow)]
    Task<ShardDue> Due(int limit, TimeSpan? blobGrace, CancellationToken cancellationToken);

    /// <summary>
    /// Commits what the sweep did with the entries of <see cref="Due"/>, in one commit. An entry that has changed since then stays as it is
    /// (<c>settle</c>).
    /// </summary>
    [AlwaysInterleave, Alias("settle"), ResponseTimeout(CallTimeouts.Slow)]
    Task Settle(ShardSettlement settlement, CancellationToken cancellationToken);

    /// <summary>Returns what the shard knows of a blob; null if it does not know the blob.</summary>
    [AlwaysInterleave, Alias("find")]
    Task<ShardBlob?> Find(Digest digest, CancellationToken cancellationToken);

    /// <summary>Returns the shard's blobs in the order of their digests.</summary>
    [AlwaysInterleave, Alias("list"), ResponseTimeout(CallTimeouts.Slow)]
    Task<ShardPage> List(Digest? after, int limit, CancellationToken cancellationToken);

    /// <summary>Whether an object is the blob's, or is doomed and not deleted yet.</summary>
    [AlwaysInterleave, Alias("owns")]
    Task<bool> Owns(Digest digest, ObjectId @object, CancellationToken cancellationToken);

    /// <summary>Whether the shard has a repository's reference to a blob, and the blob has the content that the repository links.</summary>
    /// <param name="digest">The blob.</param>
    /// <param name="repository">The repository.</param>
    /// <param name="object">The object that the repository links; null for a small blob.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("is-held")]
    Task<bool> IsReferenced(Digest digest, RepositoryName repository, ObjectId? @object, CancellationToken cancellationToken);

    /// <summary>Whether the row of a small blob has the bytes that its digest says.</summary>
    [AlwaysInterleave, Alias("is-row-whole")]
    Task<bool> IsRowWhole(Digest digest, CancellationToken cancellationToken);

    /// <summary>
    /// Records that the bytes of a blob are missing, or are not what its digest says. From then on the blob cannot be mounted, the next
    /// sweep quarantines it in its repositories, and the next upload of the content replaces it. Returns false if the blob is gone or has
    /// another object.
    /// </summary>
    [AlwaysInterleave, Alias("mark-damaged")]
    Task<bool> MarkDamaged(Digest digest, ObjectId? @object, CancellationToken cancellationToken);

    /// <summary>
    /// Replaces the unreadable row of a blob with that of a damaged blob with the same references. Returns false if the row can be read, or
    /// if a newer release wrote it.
    /// </summary>
    [AlwaysInterleave, Alias("repair")]
    Task<bool> Repair(Digest digest, CancellationToken cancellationToken);

    /// <summary>
    /// Gives a damaged blob an orphaned object that has its bytes. Returns false if the blob is not damaged, or if the object is to be
    /// deleted.
    /// </summary>
    [AlwaysInterleave, Alias("adopt")]
    Task<bool> Adopt(Digest digest, ObjectContent found, CancellationToken cancellationToken);
}
