using Granary.Protocol;
using Orleans.Concurrency;

namespace Granary.Grains.Interfaces.Blobs;

/// <summary>
/// One of the 256 grains that know which blobs exist and which repositories refer to them; the key is the first byte of the digest
/// (docs/architecture.md, "Blob references"). Repositories call it, and the sweep; it calls nobody.
/// </summary>
/// <remarks>All methods throw <see cref="PartitionUnavailableException"/>; all may be repeated.</remarks>
[Alias("granary.blob-shard")]
public interface IBlobShardGrain : IGrainWithIntegerKey
{
    /// <summary>
    /// Records a blob if it is new, and a repository's reference to it if the command's sequence is newer than what is known (rule 3). What it has acquired may not be durable
    /// yet: <see cref="Acquired.DependsOn"/>.
    /// </summary>
    [AlwaysInterleave, Alias("acquire")]
    Task<AcquireAnswer> Acquire(AcquireBlob command, CancellationToken cancellationToken);

    /// <summary>Removes references, each if it is not newer than what releases it (rule 6); all of them in one commit.</summary>
    [AlwaysInterleave, Alias("release-all")]
    Task Release([Immutable] ReleasedReference[] references, CancellationToken cancellationToken);

    /// <summary>Decides about a sealed upload's object: it is the blob's, or nobody's for ever (rule 8).</summary>
    [AlwaysInterleave, Alias("renounce")]
    Task<RenounceAnswer> Renounce(Digest digest, ObjectId @object, DateTimeOffset deadline, CancellationToken cancellationToken);

    /// <summary>Repositories that refer to a blob, in ordinal order: candidates for a mount without a source. Each has to be asked whether it still does.</summary>
    /// <param name="digest">The blob.</param>
    /// <param name="after">Only repositories after this one.</param>
    /// <param name="limit">At most so many.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("repositories")]
    Task<RepositoryName[]> FindRepositories(Digest digest, RepositoryName? after, int limit, CancellationToken cancellationToken);

    /// <summary>What the sweep has to see to: the first that are due, at most <paramref name="limit"/> of all kinds together (rule 7).</summary>
    /// <param name="limit">At most so many.</param>
    /// <param name="blobGrace">How long blobs without references stay; null for the setting.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("due")]
    Task<ShardDue> Due(int limit, TimeSpan? blobGrace, CancellationToken cancellationToken);

    /// <summary>Does what the sweep has found out, in one commit. Whatever has changed since <see cref="Due"/> is left alone.</summary>
    [AlwaysInterleave, Alias("settle")]
    Task Settle(ShardSettlement settlement, CancellationToken cancellationToken);

    /// <summary>What the shard knows of a blob; null if nothing.</summary>
    [AlwaysInterleave, Alias("find")]
    Task<ShardBlob?> Find(Digest digest, CancellationToken cancellationToken);

    /// <summary>The shard's blobs in order of their digests.</summary>
    [AlwaysInterleave, Alias("list")]
    Task<ShardPage> List(Digest? after, int limit, CancellationToken cancellationToken);

    /// <summary>Whether an object is a blob's, or is known to be on its way out.</summary>
    [AlwaysInterleave, Alias("owns")]
    Task<bool> Owns(Digest digest, ObjectId @object, CancellationToken cancellationToken);

    /// <summary>Whether a repository's reference to a blob is known, and the blob's content is what the repository believes.</summary>
    /// <param name="digest">The blob.</param>
    /// <param name="repository">Who refers to it.</param>
    /// <param name="object">Its object; null for a small blob.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("is-held")]
    Task<bool> IsClaimed(Digest digest, RepositoryName repository, ObjectId? @object, CancellationToken cancellationToken);

    /// <summary>Whether the row of a small blob holds what its digest says.</summary>
    [AlwaysInterleave, Alias("is-row-whole")]
    Task<bool> IsRowWhole(Digest digest, CancellationToken cancellationToken);

    /// <summary>
    /// Records that the bytes of a blob are not what its digest says, or gone. Nobody can mount it from then on, its repositories are told with the next sweep, and the next
    /// upload of the content takes its place. False: the blob is another object's by now, or has gone.
    /// </summary>
    [AlwaysInterleave, Alias("mark-damaged")]
    Task<bool> MarkDamaged(Digest digest, ObjectId? @object, CancellationToken cancellationToken);

    /// <summary>Makes the row of a blob that cannot be read one of a damaged blob with all its references. False: it can be read.</summary>
    [AlwaysInterleave, Alias("repair")]
    Task<bool> Repair(Digest digest, CancellationToken cancellationToken);

    /// <summary>Gives a damaged blob the bytes of an object that nobody owned and that holds them. False: the blob is not damaged, or the object is to be deleted.</summary>
    [AlwaysInterleave, Alias("adopt")]
    Task<bool> Adopt(Digest digest, ObjectContent found, CancellationToken cancellationToken);
}

/// <summary>What a shard knows of a blob.</summary>
/// <param name="Digest">The blob.</param>
/// <param name="Content">Where its bytes are; a small blob's are not in it, but its size is.</param>
/// <param name="Size">Bytes.</param>
/// <param name="References">How many repositories refer to it.</param>
/// <param name="OrphanDue">When it goes; null while repositories refer to it.</param>
/// <param name="IsDamaged">Whether its bytes are known to be damaged.</param>
/// <param name="Leases">Repositories that refer to it, the first ones, and when each is asked next; only in an answer about one blob.</param>
[GenerateSerializer, Immutable, Alias("granary.shard-blob")]
public sealed record ShardBlob(
    [property: Id(0)] Digest Digest,
    [property: Id(1)] ObjectId? Content,
    [property: Id(2)] long Size,
    [property: Id(3)] int References,
    [property: Id(4)] DateTimeOffset? OrphanDue,
    [property: Id(5)] bool IsDamaged,
    [property: Id(6)] DueReference[] Leases);

/// <summary>A page of a shard's blobs.</summary>
/// <param name="Blobs">In order of their digests.</param>
/// <param name="Unreadable">Blobs whose rows cannot be read: they are damaged.</param>
/// <param name="After">Where the next page begins; null: this was the last.</param>
[GenerateSerializer, Immutable, Alias("granary.shard-page")]
public sealed record ShardPage([property: Id(0)] ShardBlob[] Blobs, [property: Id(1)] Digest[] Unreadable, [property: Id(2)] Digest? After);

/// <summary>A blob whose repositories have to be told which content counts.</summary>
/// <param name="Digest">The blob.</param>
/// <param name="Due">The time of its row.</param>
/// <param name="Content">The content that counts; null if the blob has gone.</param>
/// <param name="IsDamaged">Whether that is damaged.</param>
[GenerateSerializer, Immutable, Alias("granary.correction")]
public sealed record Correction(
    [property: Id(0)] Digest Digest,
    [property: Id(1)] DateTimeOffset Due,
    [property: Id(2)] BlobContent? Content,
    [property: Id(3)] bool IsDamaged);

/// <summary>What is due in a shard.</summary>
/// <param name="References">References whose repositories have to be asked.</param>
/// <param name="Orphans">Blobs that nobody has referred to for the grace.</param>
/// <param name="Doomed">Objects of collected blobs, to be deleted now.</param>
/// <param name="Remembered">Objects that need not be remembered any longer.</param>
/// <param name="Corrections">Blobs whose repositories have to be told which content counts.</param>
/// <param name="More">Whether others may be due that there was no room for.</param>
[GenerateSerializer, Immutable, Alias("granary.shard-due")]
public sealed record ShardDue(
    [property: Id(0)] DueReference[] References,
    [property: Id(1)] Orphan[] Orphans,
    [property: Id(2)] DoomedObject[] Doomed,
    [property: Id(3)] ObjectId[] Remembered,
    [property: Id(4)] Correction[] Corrections,
    [property: Id(5)] bool More)
{
    /// <summary>How many there are.</summary>
    public int Count => References.Length + Orphans.Length + Doomed.Length + Remembered.Length + Corrections.Length;
}

/// <summary>A blob that nobody has referred to for the grace.</summary>
/// <param name="Digest">The blob.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Due">The time of its row.</param>
[GenerateSerializer, Immutable, Alias("granary.orphan")]
public sealed record Orphan([property: Id(0)] Digest Digest, [property: Id(1)] long Size, [property: Id(2)] DateTimeOffset Due);

/// <summary>A reference that a repository has no use for any more.</summary>
/// <param name="Digest">The blob.</param>
/// <param name="Repository">Who referred to it.</param>
/// <param name="Sequence">The version of its partition that says so: a reference that is newer stays.</param>
[GenerateSerializer, Immutable, Alias("granary.released-reference")]
public sealed record ReleasedReference(
    [property: Id(0)] Digest Digest,
    [property: Id(1)] RepositoryName Repository,
    [property: Id(2)] long Sequence);

/// <summary>A reference that has to be asked about.</summary>
/// <param name="Digest">The blob.</param>
/// <param name="Repository">Who refers to it.</param>
/// <param name="Sequence">As of which version.</param>
/// <param name="LeaseUntil">Until when that is believed.</param>
[GenerateSerializer, Immutable, Alias("granary.due-reference")]
public sealed record DueReference(
    [property: Id(0)] Digest Digest,
    [property: Id(1)] RepositoryName Repository,
    [property: Id(2)] long Sequence,
    [property: Id(3)] DateTimeOffset LeaseUntil);

/// <summary>An object of a collected blob.</summary>
/// <param name="Object">The object.</param>
/// <param name="Digest">The digest in its name.</param>
[GenerateSerializer, Immutable, Alias("granary.doomed-object")]
public sealed record DoomedObject([property: Id(0)] ObjectId Object, [property: Id(1)] Digest Digest);

/// <summary>What the sweep has found out about a shard.</summary>
/// <param name="Held">References whose repositories said yes.</param>
/// <param name="Dropped">References whose repositories said no.</param>
/// <param name="Orphans">As they were due.</param>
/// <param name="Deleted">Doomed objects that are gone from the storage.</param>
/// <param name="Remembered">As they were due.</param>
/// <param name="Corrected">Corrections that were passed on.</param>
[GenerateSerializer, Immutable, Alias("granary.shard-settlement")]
public sealed record ShardSettlement(
    [property: Id(0)] DueReference[] Held,
    [property: Id(1)] DueReference[] Dropped,
    [property: Id(2)] Orphan[] Orphans,
    [property: Id(3)] DoomedObject[] Deleted,
    [property: Id(4)] ObjectId[] Remembered,
    [property: Id(5)] Correction[] Corrected);

/// <summary>A repository is about to link a blob.</summary>
/// <param name="Digest">The blob.</param>
/// <param name="Content">Its bytes, complete and durable; null for a mount.</param>
/// <param name="Repository">Who refers to it.</param>
/// <param name="Sequence">The version that the repository's partition will have at the earliest when it commits the link.</param>
/// <param name="Deadline">After this a sealed object is no longer accepted: the upload that made it has been given up (rule 3, <c>late</c>).</param>
[GenerateSerializer, Immutable, Alias("granary.acquire")]
public sealed record AcquireBlob(
    [property: Id(0)] Digest Digest,
    [property: Id(1)] BlobContent? Content,
    [property: Id(2)] RepositoryName Repository,
    [property: Id(3)] long Sequence,
    [property: Id(4)] DateTimeOffset Deadline);

/// <summary>What became of an <see cref="AcquireBlob"/>.</summary>
[GenerateSerializer, Immutable, Alias("granary.acquire-answer")]
public abstract record AcquireAnswer
{
    private protected AcquireAnswer()
    {
    }
}

/// <summary>The repository may link the blob.</summary>
/// <param name="Content">The content that counts: that of the first upload, which need not be the caller's.</param>
/// <param name="DependsOn">What the link has to rest on; null: the reference is durable.</param>
[GenerateSerializer, Immutable, Alias("granary.acquired")]
public sealed record Acquired([property: Id(0)] BlobContent Content, [property: Id(1)] CommitTicket? DependsOn = null) : AcquireAnswer;

/// <summary>A mount of a blob that does not exist (any more).</summary>
[GenerateSerializer, Immutable, Alias("granary.acquire-unknown")]
public sealed record AcquireUnknown : AcquireAnswer;

/// <summary>The object was renounced or doomed, or its deadline has passed: the content has to be uploaded again.</summary>
[GenerateSerializer, Immutable, Alias("granary.acquire-expired")]
public sealed record AcquireExpired : AcquireAnswer;

/// <summary>What became of a renounced object.</summary>
[GenerateSerializer, Alias("granary.renounce-answer")]
public enum RenounceAnswer
{
    /// <summary>The blob is this object: it stays.</summary>
    Adopted,

    /// <summary>No blob is or will be this object: whoever asked deletes it.</summary>
    Renounced,
}
