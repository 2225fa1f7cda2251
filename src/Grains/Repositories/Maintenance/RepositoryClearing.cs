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
                change,
                batch => manifests.Max(digest => ManifestRules.OrderOf(batch, digest)),
                batch => manifests.Count(digest => ManifestRules.Delete(batch, digest, change, lifetimes)),
                cancellationToken);
        }

        var links = await FirstAsync(RepositoryRows.LinkPrefix, limit, cancellationToken);
        if (links.Length > 0)
        {
            return await RemoveAsync(
                change,
                batch => links.Max(digest => LinkRow.Find(batch, digest)?.Order ?? 0),
                batch => links.Count(digest => Unlink(batch, digest)),
                cancellationToken);
        }

        await LeaveCatalogAsync(change, cancellationToken);
        return 0;
    }

    private async Task<Digest[]> FirstAsync(string prefix, int limit, CancellationToken cancellationToken) =>
        (await partition.ListAsync(prefix, after: null, limit, Digest.Parse, cancellationToken)).Items;

    private async Task<int> RemoveAsync(
        Change change,
        Func<RowBatch, long> orderOf,
        Func<RowBatch, int> remove,
        CancellationToken cancellationToken)
    {
        var ruling = await schedule.DecideAsync(
            [RepositoryRows.Meta],
            batch =>
            {
                // A late copy of a step must not remove what was pushed after the deletion.
                if (OrderRules.Refuse<int>(batch, change, orderOf(batch)) is { } late)
                {
                    return late;
                }

                var count = remove(batch);
                Floor.Raise(batch, change.Order);
                return new Ruling<int>(count);
            },
            cancellationToken);
        var removed = await ruling.ProveAsync(partition, cancellationToken);
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
