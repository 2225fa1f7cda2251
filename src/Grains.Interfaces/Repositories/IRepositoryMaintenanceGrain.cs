using Granary.Grains.Interfaces.Blobs;
using Granary.Protocol;
using Orleans.Concurrency;

namespace Granary.Grains.Interfaces.Repositories;

/// <summary>
/// The calls that collections, scrubs and administrators make to a repository. The same grain as <see cref="IRepositoryGrain"/>, under the
/// same key.
/// </summary>
/// <remarks>All methods throw <see cref="PartitionUnavailableException"/>. All are idempotent.</remarks>
[Alias("granary.repository-upkeep")]
public interface IRepositoryMaintenanceGrain : IGrainWithStringKey
{
    /// <summary>
    /// Returns, for each digest in the order given, whether the repository has a link to it. A denial stays true until a later Acquire: the
    /// repository refuses links that were acquired before it (<c>guard</c>), and commits it as a fence (<c>fence</c>).
    /// </summary>
    [AlwaysInterleave, Alias("holds")]
    Task<bool[]> Holds([Immutable] Digest[] digests, CancellationToken cancellationToken);

    /// <summary>
    /// Returns whether the repository is in the catalog. A denial stays true until a later Add (<c>catalog-guard</c>). An empty repository
    /// may leave the catalog during this call.
    /// </summary>
    [AlwaysInterleave, Alias("exists")]
    Task<bool> Exists(CancellationToken cancellationToken);

    /// <summary>
    /// Makes one step of a collection: unlinks blobs that were unused for the grace period, the oldest first, removes referrers of deleted
    /// manifests, and releases the references.
    /// </summary>
    [AlwaysInterleave, Alias("collect"), ResponseTimeout(CallTimeouts.Slow)]
    Task<CollectAnswer> Collect(CollectLinks command, CancellationToken cancellationToken);

    /// <summary>
    /// Removes untagged manifests, one step of the repository. Callers repeat all steps until none removes a manifest: the manifests that
    /// an index names become untagged only when the index is removed.
    /// </summary>
    [AlwaysInterleave, Alias("collect-untagged"), ResponseTimeout(CallTimeouts.Slow)]
    Task<CollectUntaggedAnswer> CollectUntagged(CollectUntagged command, CancellationToken cancellationToken);

    /// <summary>
    /// Removes manifests and blobs of the repository, one step. Content that clients push during the steps may be removed or stay.
    /// </summary>
    /// <returns>How many manifests and blobs were removed; 0 if the repository is empty and has left the catalog.</returns>
    [AlwaysInterleave, Alias("clear"), ResponseTimeout(CallTimeouts.Slow)]
    Task<int> Clear(ClearRepository command, CancellationToken cancellationToken);

    /// <summary>Returns what this repository knows of a digest, and why it keeps the content.</summary>
    [AlwaysInterleave, Alias("explain"), ResponseTimeout(CallTimeouts.Slow)]
    Task<RepositoryExplanation> Explain(Digest digest, CancellationToken cancellationToken);

    /// <summary>Returns the repository's blobs in the order of their digests.</summary>
    [AlwaysInterleave, Alias("list-links"), ResponseTimeout(CallTimeouts.Slow)]
    Task<LinkedBlob[]> ListLinks(Digest? after, int limit, CancellationToken cancellationToken);

    /// <summary>Checks the bytes of manifests against their digests, in the order of the digests.</summary>
    [AlwaysInterleave, Alias("check-manifests"), ResponseTimeout(CallTimeouts.Slow)]
    Task<CheckManifestsAnswer> CheckManifests(Digest? after, int limit, CancellationToken cancellationToken);

    /// <summary>
    /// Sets the content of a linked blob, or quarantines it: the repository then answers as if it had no such blob, so that clients push it
    /// again.
    /// </summary>
    [AlwaysInterleave, Alias("correct")]
    Task Correct(Digest digest, [Immutable] BlobContent content, bool isDamaged, CancellationToken cancellationToken);

    /// <summary>Acquires the reference of a linked blob again, after its shard has lost rows.</summary>
    /// <returns>False if the repository has no such blob, or the shard accepts no reference to it.</returns>
    [AlwaysInterleave, Alias("pin-again")]
    Task<bool> RestoreReference(Digest digest, CancellationToken cancellationToken);
}

/// <summary>A step of the collection of a repository's unused blobs.</summary>
/// <param name="Limit">How many due entries the step looks at, at most.</param>
/// <param name="Grace">The grace period of unused blobs; null for the setting.</param>
/// <param name="After">The place where the last step ended; null for the first step.</param>
[GenerateSerializer, Immutable, Alias("granary.collect-links")]
public sealed record CollectLinks(
    [property: Id(0)] int Limit,
    [property: Id(1)] TimeSpan? Grace = null,
    [property: Id(2)] string? After = null);

/// <summary>The answer to a step of a collection.</summary>
/// <param name="Unlinked">The blobs that the step unlinked.</param>
/// <param name="Manifests">How many referrers of deleted manifests the step removed.</param>
/// <param name="More">Whether there is a next step.</param>
/// <param name="After">The place where the next step begins.</param>
/// <param name="Next">After the last step: when the next entry is due; null if there is none.</param>
[GenerateSerializer, Immutable, Alias("granary.collect-answer")]
public sealed record CollectAnswer(
    [property: Id(0)] UnlinkedBlob[] Unlinked,
    [property: Id(1)] int Manifests,
    [property: Id(2)] bool More,
    [property: Id(3)] string? After,
    [property: Id(4)] DateTimeOffset? Next);

/// <summary>A blob that a collection unlinked.</summary>
/// <param name="Digest">The blob.</param>
/// <param name="Size">Its size in bytes.</param>
[GenerateSerializer, Immutable, Alias("granary.unlinked-blob")]
public sealed record UnlinkedBlob([property: Id(0)] Digest Digest, [property: Id(1)] long Size);

/// <summary>A step of the collection of untagged manifests.</summary>
/// <param name="PushedBefore">Manifests that were pushed later stay.</param>
/// <param name="Limit">How many manifests the step looks at, at most.</param>
/// <param name="After">The manifest where the last step ended; null for the first step.</param>
[GenerateSerializer, Immutable, Alias("granary.collect-untagged")]
public sealed record CollectUntagged(
    [property: Id(0)] DateTimeOffset PushedBefore,
    [property: Id(1)] int Limit,
    [property: Id(2)] Digest? After = null);

/// <summary>The answer to a step of the collection of untagged manifests.</summary>
/// <param name="Removed">How many manifests the step removed.</param>
/// <param name="After">The manifest after which the next step begins; null if this was the last step.</param>
[GenerateSerializer, Immutable, Alias("granary.collect-untagged-answer")]
public sealed record CollectUntaggedAnswer([property: Id(0)] int Removed, [property: Id(1)] Digest? After);

/// <summary>A blob of a repository.</summary>
/// <param name="Digest">The blob.</param>
/// <param name="Object">The object that holds it; null if a row holds it.</param>
/// <param name="Size">Its size in bytes.</param>
[GenerateSerializer, Immutable, Alias("granary.linked-blob")]
public sealed record LinkedBlob([property: Id(0)] Digest Digest, [property: Id(1)] ObjectId? Object, [property: Id(2)] long Size);

/// <summary>What a repository knows of a digest.</summary>
[GenerateSerializer, Immutable, Alias("granary.repository-explanation")]
public sealed record RepositoryExplanation
{
    /// <summary>When it was pushed as a manifest; null if it is not a manifest of this repository.</summary>
    [Id(0)]
    public DateTimeOffset? Pushed { get; init; }

    /// <summary>The first tags that point at it.</summary>
    [Id(1)]
    public required Tag[] Tags { get; init; }

    /// <summary>The first manifests that name it.</summary>
    [Id(2)]
    public required Digest[] UsedBy { get; init; }

    /// <summary>The subject of the manifest.</summary>
    [Id(3)]
    public Digest? Subject { get; init; }

    /// <summary>Whether the repository has the subject.</summary>
    [Id(4)]
    public bool IsSubjectHere { get; init; }

    /// <summary>The first manifests whose subject it is.</summary>
    [Id(5)]
    public required Digest[] Referrers { get; init; }

    /// <summary>Its size as a blob; null if it is not a blob of this repository.</summary>
    [Id(6)]
    public long? BlobSize { get; init; }

    /// <summary>How many manifests name the blob.</summary>
    [Id(7)]
    public int Uses { get; init; }

    /// <summary>When the link was last made or renewed.</summary>
    [Id(8)]
    public DateTimeOffset? Renewed { get; init; }

    /// <summary>When a collection may unlink the unused blob.</summary>
    [Id(9)]
    public DateTimeOffset? Due { get; init; }

    /// <summary>Whether the blob is in quarantine because its bytes are damaged.</summary>
    [Id(10)]
    public bool IsDamaged { get; init; }

    /// <summary>When the manifest lost its last tag; null if it has a tag, or never had one.</summary>
    [Id(11)]
    public DateTimeOffset? Untagged { get; init; }
}

/// <summary>The answer to a check of manifests.</summary>
/// <param name="Checked">How many manifests were checked.</param>
/// <param name="Damaged">
/// Manifests whose rows cannot be read, whose bytes do not match the digest, or that name content whose count of uses is 0.
/// </param>
/// <param name="After">The manifest after which the next check begins; null if this was the last.</param>
[GenerateSerializer, Immutable, Alias("granary.check-manifests-answer")]
public sealed record CheckManifestsAnswer(
    [property: Id(0)] int Checked,
    [property: Id(1)] Digest[] Damaged,
    [property: Id(2)] Digest? After);
