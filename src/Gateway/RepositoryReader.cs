using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;

namespace Granary.Gateway;

/// <summary>
/// Answers the questions of pulls: from the cache of this process's silo, or from the repository grain. Most pulls of a busy registry are
/// of a few tags and layers, and a grain call is half of the cost of a small one. The cache takes the CPU of manifest pulls to 0.54–0.66,
/// of small blobs to 0.42, and of ranges of 64 KiB to 0.68 (docs/adr/0011-pulls-without-a-grain-call.md).
/// </summary>
/// <param name="grains">The grains.</param>
/// <param name="calls">Repeats calls.</param>
/// <param name="cache">The cache of the silo in this process; null if the process has no silo.</param>
internal sealed class RepositoryReader(IGrainFactory grains, GrainCalls calls, IPullCache? cache = null)
{
    /// <inheritdoc cref="IRepositoryGrain.FindManifest"/>
    public ValueTask<FoundManifest?> FindManifestAsync(
        RepositoryName repository,
        Digest digest,
        bool withBody,
        CancellationToken aborted) =>
        FindAsync(
            PullCacheKey.Manifest(repository, digest, withBody),
            grain => grain.FindManifest(digest, withBody, CancellationToken.None),
            aborted);

    /// <inheritdoc cref="IRepositoryGrain.FindTagged"/>
    public ValueTask<FoundManifest?> FindTaggedAsync(RepositoryName repository, Tag tag, bool withBody, CancellationToken aborted) =>
        FindAsync(
            PullCacheKey.Tagged(repository, tag, withBody),
            grain => grain.FindTagged(tag, withBody, CancellationToken.None),
            aborted);

    /// <inheritdoc cref="IRepositoryGrain.FindBlob"/>
    public ValueTask<BlobContent?> FindBlobAsync(RepositoryName repository, Digest digest, CancellationToken aborted) =>
        FindAsync(PullCacheKey.Blob(repository, digest), grain => grain.FindBlob(digest, CancellationToken.None), aborted);

    /// <inheritdoc cref="IRepositoryGrain.FindBlobSize"/>
    public ValueTask<long?> FindBlobSizeAsync(RepositoryName repository, Digest digest, CancellationToken aborted) =>
        FindAsync(PullCacheKey.BlobSize(repository, digest), grain => grain.FindBlobSize(digest, CancellationToken.None), aborted);

    private ValueTask<T?> FindAsync<T>(PullCacheKey key, Func<IRepositoryGrain, Task<T?>> call, CancellationToken aborted)
    {
        if (cache is not null && cache.TryFind<T>(key, out var cached))
        {
            return new ValueTask<T?>(cached);
        }

        var grain = grains.GetGrain<IRepositoryGrain>(key.Repository.Value);
        return new ValueTask<T?>(calls.RepeatAsync(() => call(grain), aborted));
    }
}
