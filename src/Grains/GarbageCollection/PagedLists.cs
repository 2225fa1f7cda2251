using System.Runtime.CompilerServices;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Catalog;
using Granary.Protocol;

namespace Granary.Grains.GarbageCollection;

/// <summary>Walks through what grains list by pages.</summary>
internal static class PagedLists
{
    private const int RepositoriesOfAPage = 500;

    // Each of them is looked at before the next page is asked for.
    private const int BlobsOfAPage = 100;

    /// <summary>All repositories.</summary>
    public static async IAsyncEnumerable<RepositoryName> AllAsync(this ICatalogGrain catalog, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string? after = null;
        while (true)
        {
            var page = await catalog.List(after, RepositoriesOfAPage, cancellationToken);
            foreach (var repository in page.Repositories)
            {
                yield return repository;
            }

            if (!page.More)
            {
                yield break;
            }

            after = page.Repositories[^1].Value;
        }
    }

    /// <summary>All blobs of a shard, by pages.</summary>
    public static async IAsyncEnumerable<ShardPage> PagesAsync(this IBlobShardGrain shard, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Digest? after = null;
        do
        {
            var page = await shard.List(after, BlobsOfAPage, cancellationToken);
            yield return page;
            after = page.After;
        }
        while (after is not null);
    }
}
