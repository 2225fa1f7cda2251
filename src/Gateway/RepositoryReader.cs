using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;

namespace Granary.Gateway;

/// <summary>
/// How pulls ask repositories: first what those of this process have answered before, then the grain. Most pulls of a busy registry are of a few tags and layers, and a turn of a grain costs half of
/// what a small one does (ADR 11).
/// </summary>
/// <param name="grains">The grains.</param>
/// <param name="answers">What the silo of this process knows; null if there is none.</param>
internal sealed class RepositoryReader(IGrainFactory grains, IPullCache? answers = null)
{
    /// <inheritdoc cref="IRepositoryGrain.FindManifest"/>
    public ValueTask<FoundManifest?> FindManifestAsync(RepositoryName repository, Digest digest, bool withBody) =>
        AskAsync(PullCacheKey.Manifest(repository, digest, withBody), grain => grain.FindManifest(digest, withBody, CancellationToken.None));

    /// <inheritdoc cref="IRepositoryGrain.FindTagged"/>
    public ValueTask<FoundManifest?> FindTaggedAsync(RepositoryName repository, Tag tag, bool withBody) =>
        AskAsync(PullCacheKey.Tagged(repository, tag, withBody), grain => grain.FindTagged(tag, withBody, CancellationToken.None));

    /// <inheritdoc cref="IRepositoryGrain.FindBlob"/>
    public ValueTask<BlobContent?> FindBlobAsync(RepositoryName repository, Digest digest) =>
        AskAsync(PullCacheKey.Blob(repository, digest), grain => grain.FindBlob(digest, CancellationToken.None));

    /// <inheritdoc cref="IRepositoryGrain.FindBlobSize"/>
    public ValueTask<long?> FindBlobSizeAsync(RepositoryName repository, Digest digest) =>
        AskAsync(PullCacheKey.BlobSize(repository, digest), grain => grain.FindBlobSize(digest, CancellationToken.None));

    private ValueTask<T?> AskAsync<T>(PullCacheKey question, Func<IRepositoryGrain, Task<T?>> ask)
    {
        if (answers is not null && answers.TryFind<T>(question, out var known))
        {
            return new ValueTask<T?>(known);
        }

        var grain = grains.GetGrain<IRepositoryGrain>(question.Repository.Value);
        return new ValueTask<T?>(GrainCalls.RetryOnceAsync(() => ask(grain)));
    }
}
