using System.Diagnostics.CodeAnalysis;
using Granary.Grains.Interfaces.Blobs;
using Granary.Protocol;

namespace Granary.Grains.Interfaces.Repositories;

/// <summary>
/// The answers to pulls of the repositories that are active in this process. A pull that finds its answer here needs no grain call.
/// A repository removes its answers before any caller learns of a change, so an answer found here is the one that a call would give.
/// </summary>
public interface IPullCache
{
    /// <summary>Returns the cached answer for a key, if it is valid. Any thread may call it. On false, the caller asks the grain.</summary>
    /// <typeparam name="T">The type of the grain's answer; <see cref="PullCacheKey"/> names it for each kind of key.</typeparam>
    bool TryFind<T>(PullCacheKey key, [NotNullWhen(true)] out T? answer);
}

/// <summary>The key of a cached answer: what a pull asks of a repository.</summary>
/// <param name="Repository">The repository that the pull asks.</param>
/// <param name="Kind">The kind of answer.</param>
/// <param name="Item">The tag or the digest.</param>
public sealed record PullCacheKey(RepositoryName Repository, PullCacheKind Kind, string Item)
{
    /// <summary>Returns the key for <see cref="IRepositoryGrain.FindManifest"/>. The answer is a <see cref="FoundManifest"/>.</summary>
    public static PullCacheKey Manifest(RepositoryName repository, Digest digest, bool withBody) =>
        new(repository, KindOf(withBody), digest.Value);

    /// <summary>Returns the key for <see cref="IRepositoryGrain.FindTagged"/>. The answer is a <see cref="FoundManifest"/>.</summary>
    public static PullCacheKey Tagged(RepositoryName repository, Tag tag, bool withBody) => new(repository, KindOf(withBody), tag.Value);

    /// <summary>Returns the key for <see cref="IRepositoryGrain.FindBlob"/>. The answer is a <see cref="BlobContent"/>.</summary>
    public static PullCacheKey Blob(RepositoryName repository, Digest digest) => new(repository, PullCacheKind.Blob, digest.Value);

    /// <summary>Returns the key for <see cref="IRepositoryGrain.FindBlobSize"/>. The answer is a number of bytes.</summary>
    public static PullCacheKey BlobSize(RepositoryName repository, Digest digest) => new(repository, PullCacheKind.BlobSize, digest.Value);

    // A tag contains no colon and a digest does, so both can share a kind.
    private static PullCacheKind KindOf(bool withBody) => withBody ? PullCacheKind.ManifestWithBody : PullCacheKind.Manifest;
}

/// <summary>The kind of a cached answer.</summary>
public enum PullCacheKind
{
    /// <summary>A manifest without its bytes.</summary>
    Manifest,

    /// <summary>A manifest with its bytes.</summary>
    ManifestWithBody,

    /// <summary>The content of a blob, or the object that holds it.</summary>
    Blob,

    /// <summary>The size of a blob.</summary>
    BlobSize,
}
