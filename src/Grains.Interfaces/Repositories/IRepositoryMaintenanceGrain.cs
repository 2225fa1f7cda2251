using Granary.Grains.Interfaces.Blobs;
using Granary.Protocol;
using Orleans.Concurrency;

namespace Granary.Grains.Interfaces.Repositories;

/// <summary>
/// What the collection of garbage, the scrub and the administrator ask of a repository. The same grain as <see cref="IRepositoryGrain"/>, under the same key.
/// </summary>
/// <remarks>All methods throw <see cref="PartitionUnavailableException"/>; all may be repeated.</remarks>
[Alias("granary.repository-upkeep")]
public interface IRepositoryMaintenanceGrain : IGrainWithStringKey
{
    /// <summary>
    /// Which of these blobs the repository refers to, in the order asked. Every no is true until a later Acquire: a link that was on its way is refused (rule 7).
    /// </summary>
    [AlwaysInterleave, Alias("holds")]
    Task<bool[]> Holds([Immutable] Digest[] digests, CancellationToken cancellationToken);

    /// <summary>Whether the repository has an entry in the catalog. A no is true until a later Add (rule 9); an empty one may leave first.</summary>
    [AlwaysInterleave, Alias("exists")]
    Task<bool> Exists(CancellationToken cancellationToken);

    /// <summary>Unlinks blobs that no manifest has used for the grace, the oldest first, and what else is due (rule 6); a step of it.</summary>
    [AlwaysInterleave, Alias("collect")]
    Task<CollectAnswer> Collect(CollectLinks command, CancellationToken cancellationToken);

    /// <summary>Removes manifests that no tag leads to, through indexes and subjects; a step of it. Repeat the whole until nothing goes any more: what an index names goes after it.</summary>
    [AlwaysInterleave, Alias("collect-untagged")]
    Task<CollectUntaggedAnswer> CollectUntagged(CollectUntagged command, CancellationToken cancellationToken);

    /// <summary>Removes everything that the repository has; a step of it. What is pushed meanwhile may go or stay.</summary>
    /// <returns>How many manifests and blobs went; 0: the repository is empty, and has left the catalog.</returns>
    [AlwaysInterleave, Alias("clear")]
    Task<int> Clear(int limit, CancellationToken cancellationToken);

    /// <summary>What this repository knows of a digest, and why it has it.</summary>
    [AlwaysInterleave, Alias("explain")]
    Task<RepositoryExplanation> Explain(Digest digest, CancellationToken cancellationToken);

    /// <summary>The repository's blobs in order of their digests.</summary>
    [AlwaysInterleave, Alias("list-links")]
    Task<LinkedBlob[]> ListLinks(Digest? after, int limit, CancellationToken cancellationToken);

    /// <summary>Checks that manifests are what their digests say, in the order of these.</summary>
    [AlwaysInterleave, Alias("check-manifests")]
    Task<CheckManifestsAnswer> CheckManifests(Digest? after, int limit, CancellationToken cancellationToken);

    /// <summary>Tells which content of a blob counts now, or that it is damaged: then the repository answers as if it had no such blob, so that clients push it again.</summary>
    [AlwaysInterleave, Alias("correct")]
    Task Correct(Digest digest, [Immutable] BlobContent content, bool isDamaged, CancellationToken cancellationToken);

    /// <summary>Refers again to a blob that the repository links and whose shard does not know it: after rows of the shard were lost.</summary>
    /// <returns>False: there is nothing (more) to do.</returns>
    [AlwaysInterleave, Alias("pin-again")]
    Task<bool> RestoreReference(Digest digest, CancellationToken cancellationToken);
}

/// <summary>A step of the collection of a repository's unused blobs.</summary>
/// <param name="Limit">Look at so many at most.</param>
/// <param name="Grace">How long unused ones stay; null for the setting.</param>
/// <param name="After">Where the last step ended; null for the first.</param>
[GenerateSerializer, Immutable, Alias("granary.collect-links")]
public sealed record CollectLinks(
    [property: Id(0)] int Limit,
    [property: Id(1)] TimeSpan? Grace = null,
    [property: Id(2)] string? After = null);

/// <summary>What became of a step.</summary>
/// <param name="Unlinked">The blobs that went.</param>
/// <param name="Manifests">How many manifests went with their subjects.</param>
/// <param name="More">Whether there is a next step.</param>
/// <param name="After">Where that begins.</param>
/// <param name="Next">After the last step: when there may be something to do again; null if nothing waits.</param>
[GenerateSerializer, Immutable, Alias("granary.collect-answer")]
public sealed record CollectAnswer(
    [property: Id(0)] UnlinkedBlob[] Unlinked,
    [property: Id(1)] int Manifests,
    [property: Id(2)] bool More,
    [property: Id(3)] string? After,
    [property: Id(4)] DateTimeOffset? Next);

/// <summary>A blob that left its repository.</summary>
/// <param name="Digest">The blob.</param>
/// <param name="Size">Bytes.</param>
[GenerateSerializer, Immutable, Alias("granary.unlinked-blob")]
public sealed record UnlinkedBlob([property: Id(0)] Digest Digest, [property: Id(1)] long Size);

/// <summary>A step of the collection of manifests that nothing leads to.</summary>
/// <param name="PushedBefore">Younger ones stay.</param>
/// <param name="Limit">Look at so many at most.</param>
/// <param name="After">Where the last step ended; null for the first.</param>
[GenerateSerializer, Immutable, Alias("granary.collect-untagged")]
public sealed record CollectUntagged(
    [property: Id(0)] DateTimeOffset PushedBefore,
    [property: Id(1)] int Limit,
    [property: Id(2)] Digest? After = null);

/// <summary>What became of a step.</summary>
/// <param name="Removed">How many manifests went.</param>
/// <param name="After">Where the next step begins; null: this was the last.</param>
[GenerateSerializer, Immutable, Alias("granary.collect-untagged-answer")]
public sealed record CollectUntaggedAnswer([property: Id(0)] int Removed, [property: Id(1)] Digest? After);

/// <summary>A blob of a repository.</summary>
/// <param name="Digest">The blob.</param>
/// <param name="Object">The object that holds it; null for a small one.</param>
/// <param name="Size">Bytes.</param>
[GenerateSerializer, Immutable, Alias("granary.linked-blob")]
public sealed record LinkedBlob([property: Id(0)] Digest Digest, [property: Id(1)] ObjectId? Object, [property: Id(2)] long Size);

/// <summary>What a repository knows of a digest.</summary>
[GenerateSerializer, Immutable, Alias("granary.repository-explanation")]
public sealed record RepositoryExplanation
{
    /// <summary>When it was pushed as a manifest; null if it is none.</summary>
    [Id(0)]
    public DateTimeOffset? Pushed { get; init; }

    /// <summary>Tags that point at it, the first ones.</summary>
    [Id(1)]
    public required Tag[] Tags { get; init; }

    /// <summary>Manifests that name it, the first ones.</summary>
    [Id(2)]
    public required Digest[] UsedBy { get; init; }

    /// <summary>What it refers to.</summary>
    [Id(3)]
    public Digest? Subject { get; init; }

    /// <summary>Whether that is here.</summary>
    [Id(4)]
    public bool IsSubjectHere { get; init; }

    /// <summary>Manifests that refer to it, the first ones.</summary>
    [Id(5)]
    public required Digest[] Referrers { get; init; }

    /// <summary>Its size as a blob of the repository; null if it is none.</summary>
    [Id(6)]
    public long? BlobSize { get; init; }

    /// <summary>How many manifests use the blob.</summary>
    [Id(7)]
    public int Uses { get; init; }

    /// <summary>When somebody last said that the blob will be needed.</summary>
    [Id(8)]
    public DateTimeOffset? Renewed { get; init; }

    /// <summary>When the unused blob leaves the repository.</summary>
    [Id(9)]
    public DateTimeOffset? Due { get; init; }

    /// <summary>Whether its bytes are known to be damaged.</summary>
    [Id(10)]
    public bool IsDamaged { get; init; }
}

/// <summary>What came of a check of manifests.</summary>
/// <param name="Checked">How many there were.</param>
/// <param name="Damaged">Those whose rows cannot be read, do not hold what the digest says, or name what nothing counts.</param>
/// <param name="After">Where the next check begins; null: this was the last.</param>
[GenerateSerializer, Immutable, Alias("granary.check-manifests-answer")]
public sealed record CheckManifestsAnswer([property: Id(0)] int Checked, [property: Id(1)] Digest[] Damaged, [property: Id(2)] Digest? After);
