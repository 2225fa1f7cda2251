using Granary.Grains.Interfaces.Blobs;
using Granary.Protocol;
using Orleans.Concurrency;

namespace Granary.Grains.Interfaces.Repositories;

/// <summary>
/// A repository: everything that its name resolves. The key is the <see cref="RepositoryName"/>; validate it before making one, since any key makes an activation.
/// </summary>
/// <remarks>
/// All methods throw <see cref="PartitionUnavailableException"/>. All commands may be repeated: one that timed out may have been committed, and a repeat answers
/// as the first did. What they answer is durable.
/// </remarks>
[Alias("granary.repository")]
public interface IRepositoryGrain : IGrainWithStringKey
{
    /// <summary>
    /// Where a blob's bytes are; null if this repository has no such blob. Renews a link that no manifest uses, so that a client that heard
    /// "it exists" can push its manifest within the grace.
    /// </summary>
    [AlwaysInterleave, Alias("find-blob")]
    Task<BlobContent?> FindBlob(Digest digest, CancellationToken cancellationToken);

    /// <summary>The size of a blob in bytes, without its content; null if this repository has no such blob. Renews the link as <see cref="FindBlob"/> does.</summary>
    [AlwaysInterleave, Alias("find-blob-size")]
    Task<long?> FindBlobSize(Digest digest, CancellationToken cancellationToken);

    /// <summary>Makes a blob that was received completely a blob of this repository, or renews it.</summary>
    /// <param name="digest">The digest of the content.</param>
    /// <param name="content">The content, durable if it is an object.</param>
    /// <param name="deadline">Of an object: the deadline of its upload session's seal.</param>
    /// <param name="cancellationToken">Ends the caller's wait.</param>
    [AlwaysInterleave, Alias("link-blob")]
    Task<LinkAnswer> LinkBlob(Digest digest, [Immutable] BlobContent content, DateTimeOffset deadline, CancellationToken cancellationToken);

    /// <summary>Makes a blob that the registry has a blob of this repository, or renews it. Whether the caller may is the gateway's question.</summary>
    [AlwaysInterleave, Alias("mount-blob")]
    Task<LinkAnswer> MountBlob(Digest digest, CancellationToken cancellationToken);

    /// <summary>Removes a blob from this repository.</summary>
    /// <param name="digest">The blob.</param>
    /// <param name="evenIfUsed">Whether it goes although manifests use it.</param>
    /// <param name="cancellationToken">Ends the caller's wait.</param>
    [AlwaysInterleave, Alias("delete-blob")]
    Task<DeleteBlobAnswer> DeleteBlob(Digest digest, bool evenIfUsed, CancellationToken cancellationToken);

    /// <summary>Stores a manifest, and points tags at it: all of it in one commit, or nothing.</summary>
    [AlwaysInterleave, Alias("put-manifest")]
    Task<PutManifestAnswer> PutManifest(PutManifest command, CancellationToken cancellationToken);

    /// <summary>A manifest by its digest; null if there is none.</summary>
    /// <param name="digest">The manifest.</param>
    /// <param name="withBody">Whether its bytes are wanted.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("find-manifest")]
    Task<FoundManifest?> FindManifest(Digest digest, bool withBody, CancellationToken cancellationToken);

    /// <summary>The manifest that a tag points at; null if there is no such tag.</summary>
    /// <param name="tag">The tag.</param>
    /// <param name="withBody">Whether its bytes are wanted.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("find-tagged")]
    Task<FoundManifest?> FindTagged(Tag tag, bool withBody, CancellationToken cancellationToken);

    /// <summary>Removes a manifest with all tags that point at it. False if there is none.</summary>
    [AlwaysInterleave, Alias("delete-manifest")]
    Task<bool> DeleteManifest(Digest digest, CancellationToken cancellationToken);

    /// <summary>Removes a tag, and nothing else. False if there is none.</summary>
    [AlwaysInterleave, Alias("untag")]
    Task<bool> Untag(Tag tag, CancellationToken cancellationToken);

    /// <summary>Tags in ordinal order; null if there is no such repository.</summary>
    /// <param name="after">Only tags after this text, which need not be a tag.</param>
    /// <param name="limit">At most so many.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("list-tags")]
    Task<TagPage?> ListTags(string? after, int limit, CancellationToken cancellationToken);

    /// <summary>The manifests whose subject is <paramref name="subject"/>, in order of their digests; empty for anything unknown.</summary>
    /// <param name="subject">The manifest referred to, which need not exist.</param>
    /// <param name="artifactType">Only referrers of this type; null for all.</param>
    /// <param name="after">Only referrers after this digest.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("list-referrers")]
    Task<ReferrerPage> ListReferrers(Digest subject, string? artifactType, Digest? after, CancellationToken cancellationToken);
}

/// <summary>What became of a link or a mount.</summary>
[GenerateSerializer, Alias("granary.link-answer")]
public enum LinkAnswer
{
    /// <summary>The repository has the blob.</summary>
    Linked,

    /// <summary>Nothing to mount: the registry does not have the blob.</summary>
    Unknown,

    /// <summary>The upload was given up meanwhile; the content has to be sent again.</summary>
    Expired,

    /// <summary>The repository has the blob, and its content is not the object that the caller brought: that object is an orphan (rule 8).</summary>
    LinkedToOther,
}

/// <summary>What became of the removal of a blob.</summary>
[GenerateSerializer, Immutable, Alias("granary.delete-blob-answer")]
public abstract record DeleteBlobAnswer
{
    private protected DeleteBlobAnswer()
    {
    }
}

/// <summary>The blob is no longer in the repository.</summary>
[GenerateSerializer, Immutable, Alias("granary.blob-deleted")]
public sealed record BlobDeleted : DeleteBlobAnswer;

/// <summary>There was none.</summary>
[GenerateSerializer, Immutable, Alias("granary.blob-not-there")]
public sealed record BlobNotThere : DeleteBlobAnswer;

/// <summary>Manifests use the blob; nothing was done.</summary>
/// <param name="Manifests">Some of them, at most ten: those that were found soon.</param>
[GenerateSerializer, Immutable, Alias("granary.blob-in-use")]
public sealed record BlobInUse([property: Id(0)] Digest[] Manifests) : DeleteBlobAnswer;

/// <summary>A page of tags.</summary>
/// <param name="Tags">In ordinal order.</param>
/// <param name="More">Whether others follow.</param>
[GenerateSerializer, Immutable, Alias("granary.tag-page")]
public sealed record TagPage([property: Id(0)] Tag[] Tags, [property: Id(1)] bool More);

/// <summary>A manifest, as a pull needs it.</summary>
/// <param name="Digest">The digest it was pushed under.</param>
/// <param name="MediaType">Without parameters.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Body">The bytes exactly as pushed, if they were asked for. Nobody writes to them.</param>
[GenerateSerializer, Immutable, Alias("granary.found-manifest")]
public sealed record FoundManifest(
    [property: Id(0)] Digest Digest,
    [property: Id(1)] string MediaType,
    [property: Id(2)] long Size,
    [property: Id(3)] byte[]? Body);

/// <summary>A page of referrers; its bytes as JSON are bounded by about 4 MiB.</summary>
/// <param name="Referrers">In order of their digests.</param>
/// <param name="More">Whether others follow.</param>
[GenerateSerializer, Immutable, Alias("granary.referrer-page")]
public sealed record ReferrerPage([property: Id(0)] Referrer[] Referrers, [property: Id(1)] bool More);

/// <summary>A manifest that has a subject, as the referrers API lists it.</summary>
/// <param name="Digest">The referrer.</param>
/// <param name="MediaType">Its media type.</param>
/// <param name="Size">Bytes.</param>
/// <param name="ArtifactType">Its artifact type; null for an index without one.</param>
/// <param name="Annotations">Its annotations.</param>
[GenerateSerializer, Immutable, Alias("granary.referrer")]
public sealed record Referrer(
    [property: Id(0)] Digest Digest,
    [property: Id(1)] string MediaType,
    [property: Id(2)] long Size,
    [property: Id(3)] string? ArtifactType,
    [property: Id(4)] IReadOnlyDictionary<string, string> Annotations);
