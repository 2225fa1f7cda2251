using Granary.Grains.Interfaces.Blobs;
using Granary.Protocol;
using Orleans.Concurrency;

namespace Granary.Grains.Interfaces.Repositories;

/// <summary>
/// A repository: its tags, its manifests, and its links to blobs. The key is the <see cref="RepositoryName"/>. Callers validate the name
/// first, since any key makes an activation.
/// </summary>
/// <remarks>
/// All methods throw <see cref="PartitionUnavailableException"/>. All commands are idempotent: a command that timed out may have been
/// committed, and a retry gets the same answer. Answers are durable.
/// </remarks>
[Alias("granary.repository")]
public interface IRepositoryGrain : IGrainWithStringKey
{
    /// <summary>
    /// Returns the content of a blob, or the object that holds it; null if this repository has no such blob. Renews the link of an unused
    /// blob, so that a client that got "it exists" can push its manifest within the grace period.
    /// </summary>
    [AlwaysInterleave, Alias("find-blob")]
    Task<BlobContent?> FindBlob(Digest digest, CancellationToken cancellationToken);

    /// <summary>
    /// Returns the size of a blob in bytes; null if this repository has no such blob. Renews the link as <see cref="FindBlob"/> does.
    /// </summary>
    [AlwaysInterleave, Alias("find-blob-size")]
    Task<long?> FindBlobSize(Digest digest, CancellationToken cancellationToken);

    /// <summary>Links a blob that was received completely, or renews its link.</summary>
    [AlwaysInterleave, Alias("link-blob")]
    Task<LinkAnswer> LinkBlob(LinkBlob command, CancellationToken cancellationToken);

    /// <summary>Links a blob that the registry has, or renews its link. The gateway checks first whether the client may mount it.</summary>
    [AlwaysInterleave, Alias("mount-blob")]
    Task<LinkAnswer> MountBlob(MountBlob command, CancellationToken cancellationToken);

    /// <summary>Removes a blob from this repository.</summary>
    [AlwaysInterleave, Alias("delete-blob")]
    Task<DeleteBlobAnswer> DeleteBlob(RemoveBlob command, CancellationToken cancellationToken);

    /// <summary>Stores a manifest and points tags at it, all in one commit.</summary>
    [AlwaysInterleave, Alias("put-manifest")]
    Task<PutManifestAnswer> PutManifest(PutManifest command, CancellationToken cancellationToken);

    /// <summary>Returns a manifest by its digest; null if there is none.</summary>
    /// <param name="digest">The manifest.</param>
    /// <param name="withBody">Whether to return its bytes.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("find-manifest")]
    Task<FoundManifest?> FindManifest(Digest digest, bool withBody, CancellationToken cancellationToken);

    /// <summary>Returns the manifest that a tag points at; null if there is no such tag.</summary>
    /// <param name="tag">The tag.</param>
    /// <param name="withBody">Whether to return its bytes.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("find-tagged")]
    Task<FoundManifest?> FindTagged(Tag tag, bool withBody, CancellationToken cancellationToken);

    /// <summary>Removes a manifest and all tags that point at it. Returns false if there is no such manifest.</summary>
    [AlwaysInterleave, Alias("delete-manifest")]
    Task<bool> DeleteManifest(RemoveManifest command, CancellationToken cancellationToken);

    /// <summary>Removes a tag. Its manifest stays. Returns false if there is no such tag.</summary>
    [AlwaysInterleave, Alias("untag")]
    Task<bool> Untag(RemoveTag command, CancellationToken cancellationToken);

    /// <summary>Returns lines about a tag, the newest first; null if there is none, or <paramref name="from"/> is not about it.</summary>
    /// <param name="tag">The tag. It need not exist now.</param>
    /// <param name="from">The line with which the page begins; null for the newest.</param>
    /// <param name="limit">How many lines at most.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("read-tag-history"), ResponseTimeout(CallTimeouts.Slow)]
    Task<TagHistory?> ReadTagHistory(Tag tag, LogPosition? from, int limit, CancellationToken cancellationToken);

    /// <summary>Points a tag at a manifest that it pointed at before.</summary>
    [AlwaysInterleave, Alias("undo-tag"), ResponseTimeout(CallTimeouts.Slow)]
    Task<UndoTagAnswer> UndoTag(UndoTag command, CancellationToken cancellationToken);

    /// <summary>Returns tags in ordinal order; null if there is no such repository.</summary>
    /// <param name="after">The text after which the page begins. It need not be a tag.</param>
    /// <param name="limit">How many tags at most.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("list-tags")]
    Task<TagPage?> ListTags(string? after, int limit, CancellationToken cancellationToken);

    /// <summary>
    /// Returns manifests whose subject is <paramref name="subject"/>, in the order of their digests. The page is empty if the repository or
    /// the subject is unknown.
    /// </summary>
    /// <param name="subject">The subject. The repository need not have it.</param>
    /// <param name="artifactType">Only referrers of this type; null for all.</param>
    /// <param name="after">Only referrers after this digest.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("list-referrers")]
    Task<ReferrerPage> ListReferrers(Digest subject, string? artifactType, Digest? after, CancellationToken cancellationToken);
}

/// <summary>The answer to a link or a mount.</summary>
[GenerateSerializer, Alias("granary.link-answer")]
public enum LinkAnswer
{
    /// <summary>The repository has the blob.</summary>
    Linked,

    /// <summary>The registry does not have the blob that was to be mounted.</summary>
    Unknown,

    /// <summary>The upload session expired before the link. The client has to send the content again.</summary>
    Expired,

    /// <summary>
    /// The repository has the blob, but not in the object that the caller brought: that object may be an orphan (<c>hint</c>).
    /// </summary>
    LinkedToOther,
}

/// <summary>The answer to the removal of a blob.</summary>
[GenerateSerializer, Immutable, Alias("granary.delete-blob-answer")]
public abstract record DeleteBlobAnswer
{
    private protected DeleteBlobAnswer()
    {
    }
}

/// <summary>The repository no longer has the blob.</summary>
[GenerateSerializer, Immutable, Alias("granary.blob-deleted")]
public sealed record BlobDeleted : DeleteBlobAnswer;

/// <summary>The repository had no such blob.</summary>
[GenerateSerializer, Immutable, Alias("granary.blob-not-there")]
public sealed record BlobNotFound : DeleteBlobAnswer;

/// <summary>Manifests use the blob. Nothing was removed.</summary>
/// <param name="Manifests">At most ten of those manifests. A bounded search finds them, so the array may be empty.</param>
[GenerateSerializer, Immutable, Alias("granary.blob-in-use")]
public sealed record BlobInUse([property: Id(0)] Digest[] Manifests) : DeleteBlobAnswer;

/// <summary>A page of tags.</summary>
/// <param name="Tags">The tags, in ordinal order.</param>
/// <param name="More">Whether more tags follow.</param>
[GenerateSerializer, Immutable, Alias("granary.tag-page")]
public sealed record TagPage([property: Id(0)] Tag[] Tags, [property: Id(1)] bool More);

/// <summary>A manifest that a pull asked for.</summary>
/// <param name="Digest">The digest it was pushed under.</param>
/// <param name="MediaType">The media type, without parameters.</param>
/// <param name="Size">The size in bytes.</param>
/// <param name="Body">The bytes as pushed, if the caller asked for them. No caller may write to them.</param>
[GenerateSerializer, Immutable, Alias("granary.found-manifest")]
public sealed record FoundManifest(
    [property: Id(0)] Digest Digest,
    [property: Id(1)] string MediaType,
    [property: Id(2)] long Size,
    [property: Id(3)] byte[]? Body);

/// <summary>A page of referrers. It ends at 10,000 referrers or 4 MiB of rows.</summary>
/// <param name="Referrers">The referrers, in the order of their digests.</param>
/// <param name="More">Whether more referrers follow.</param>
[GenerateSerializer, Immutable, Alias("granary.referrer-page")]
public sealed record ReferrerPage([property: Id(0)] Referrer[] Referrers, [property: Id(1)] bool More);

/// <summary>An entry of a list of referrers: a manifest that has a subject.</summary>
/// <param name="Digest">The referrer.</param>
/// <param name="MediaType">Its media type.</param>
/// <param name="Size">Its size in bytes.</param>
/// <param name="ArtifactType">Its artifact type; null for an index without one.</param>
/// <param name="Annotations">Its annotations.</param>
[GenerateSerializer, Immutable, Alias("granary.referrer")]
public sealed record Referrer(
    [property: Id(0)] Digest Digest,
    [property: Id(1)] string MediaType,
    [property: Id(2)] long Size,
    [property: Id(3)] string? ArtifactType,
    [property: Id(4)] IReadOnlyDictionary<string, string> Annotations);
