using System.Diagnostics.CodeAnalysis;
using Granary.Grains.Interfaces.Blobs;
using Granary.Protocol;

namespace Granary.Grains.Interfaces.Repositories;

/// <summary>
/// What repositories that are active in this process have answered to pulls, and would answer again: a pull that finds its answer here needs no turn of a grain. A repository takes its answers back
/// before anybody hears of a change, so that what is found here is what a call would have said.
/// </summary>
public interface IPullCache
{
    /// <summary>Looks for the answer to a question. It may be called from any thread; what is not found is to be asked of the grain.</summary>
    /// <typeparam name="T">What <see cref="IRepositoryGrain"/> answers to a question of this kind: <see cref="PullCacheKey"/> says which.</typeparam>
    bool TryFind<T>(PullCacheKey question, [NotNullWhen(true)] out T? answer);
}

/// <summary>A question of a pull.</summary>
/// <param name="Repository">Whom it is for.</param>
/// <param name="Kind">What it asks.</param>
/// <param name="Item">About which tag or digest.</param>
public sealed record PullCacheKey(RepositoryName Repository, PullCacheKind Kind, string Item)
{
    /// <summary><see cref="IRepositoryGrain.FindManifest"/>, and so a <see cref="FoundManifest"/>.</summary>
    public static PullCacheKey Manifest(RepositoryName repository, Digest digest, bool withBody) => new(repository, KindOf(withBody), digest.Value);

    /// <summary><see cref="IRepositoryGrain.FindTagged"/>, and so a <see cref="FoundManifest"/>.</summary>
    public static PullCacheKey Tagged(RepositoryName repository, Tag tag, bool withBody) => new(repository, KindOf(withBody), tag.Value);

    /// <summary><see cref="IRepositoryGrain.FindBlob"/>, and so a <see cref="BlobContent"/>.</summary>
    public static PullCacheKey Blob(RepositoryName repository, Digest digest) => new(repository, PullCacheKind.Blob, digest.Value);

    /// <summary><see cref="IRepositoryGrain.FindBlobSize"/>, and so a number of bytes.</summary>
    public static PullCacheKey BlobSize(RepositoryName repository, Digest digest) => new(repository, PullCacheKind.BlobSize, digest.Value);

    // No tag is like a digest: they can share a kind.
    private static PullCacheKind KindOf(bool withBody) => withBody ? PullCacheKind.ManifestWithBody : PullCacheKind.Manifest;
}

/// <summary>What a pull can ask of a repository.</summary>
public enum PullCacheKind
{
    /// <summary>A manifest without its bytes.</summary>
    Manifest,

    /// <summary>A manifest.</summary>
    ManifestWithBody,

    /// <summary>Where a blob's bytes are.</summary>
    Blob,

    /// <summary>How large a blob is.</summary>
    BlobSize,
}
