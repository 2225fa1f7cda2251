using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories.History;
using Granary.Protocol;

namespace Granary.Grains.Repositories.Maintenance;

/// <summary>
/// Removes everything from a repository: first manifests with their tags, then links, then the registration in the catalog. The log stays
/// until its retention ends, since it says who removed the repository.
/// </summary>
internal sealed class RepositoryClearing(
    Partition partition,
    LinkGuard guard,
    CatalogRegistration catalog,
    SweepSchedule schedule,
    ReleaseQueue releases,
    LifetimeOptions lifetimes)
{
    /// <inheritdoc cref="IRepositoryMaintenanceGrain.Clear"/>
    public async Task<int> ClearAsync(int limit, Change change, CancellationToken cancellationToken)
    {
        var manifests = await FirstAsync(RepositoryRows.ManifestPrefix, limit, cancellationToken);
        if (manifests.Length > 0)
        {
            return await RemoveAsync(
                batch => manifests.Count(digest => ManifestRules.Delete(batch, digest, change, lifetimes)),
                cancellationToken);
        }

        var links = await FirstAsync(RepositoryRows.LinkPrefix, limit, cancellationToken);
        if (links.Length > 0)
        {
            return await RemoveAsync(batch => links.Count(digest => Unlink(batch, digest)), cancellationToken);
        }

        await LeaveCatalogAsync(change, cancellationToken);
        return 0;
    }

    private async Task<Digest[]> FirstAsync(string prefix, int limit, CancellationToken cancellationToken) =>
        (await partition.ListAsync(prefix, after: null, limit, Digest.Parse, cancellationToken)).Items;

    private async Task<int> RemoveAsync(Func<RowBatch, int> remove, CancellationToken cancellationToken)
    {
        var removed = await schedule.DecideAsync([], remove, cancellationToken);
        await releases.DrainAsync();

        // If clients have removed all of them in the meantime, the count is 0, which would tell the caller that the repository is empty.
        return Math.Max(removed, 1);
    }

    private bool Unlink(RowBatch batch, Digest digest)
    {
        if (LinkRow.Find(batch, digest) is not { } link)
        {
            return false;
        }

        LinkRules.Unlink(batch, digest, link);
        guard.Deny(digest.Value, batch.Version);
        return true;
    }

    private async Task LeaveCatalogAsync(Change change, CancellationToken cancellationToken)
    {
        if (!await catalog.IsEmptyAsync(cancellationToken))
        {
            return;
        }

        await schedule.DecideAsync(
            [RepositoryRows.Meta, LogRows.History],
            batch =>
            {
                catalog.UnregisterIfEmpty(batch, change);
                return true;
            },
            cancellationToken);
        await releases.DrainAsync();
    }
}
