using System.Runtime.CompilerServices;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Catalog;
using Granary.Protocol;

namespace Granary.Grains.GarbageCollection;

/// <summary>Enumerates the lists that grains return by pages.</summary>
internal static class PagedLists
{
    private const int RepositoryPageSize = 500;

    // A scrub reads the bytes of a whole page before it asks for the next one.
    private const int BlobPageSize = 100;

    /// <summary>Enumerates all repositories.</summary>
    public static async IAsyncEnumerable<RepositoryName> ListAllAsync(
        this ICatalogGrain catalog,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string? after = null;
        while (true)
        {
            var page = await catalog.List(after, RepositoryPageSize, cancellationToken);
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

    /// <summary>Enumerates all blobs of a shard, by pages.</summary>
    public static async IAsyncEnumerable<ShardPage> ListPagesAsync(
        this IBlobShardGrain shard,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        Digest? after = null;
        do
        {
            var page = await shard.List(after, BlobPageSize, cancellationToken);
            yield return page;
            after = page.After;
        }
        while (after is not null);
    }
}
