using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories.History;
using Granary.Protocol;

namespace Granary.Grains.Repositories.Maintenance;

/// <summary>The answers of a repository to shards and the catalog, which ask whether their leases still have a reason.</summary>
internal sealed class LeaseAnswers(
    Partition partition,
    LinkGuard guard,
    CatalogRegistration catalog,
    SweepSchedule schedule,
    ReleaseQueue releases,
    CollectionOptions options)
{
    /// <inheritdoc cref="IRepositoryMaintenanceGrain.Holds"/>
    public async Task<bool[]> HoldsAsync(Digest[] digests, CancellationToken cancellationToken)
    {
        string[] keys = [.. digests.Select(RepositoryRows.Link)];
        var held = await partition.ReadAsync(keys, rows => Array.ConvertAll(keys, rows.Has), cancellationToken);
        if (!held.Contains(value: false))
        {
            return held;
        }

        // A denial is decided again in the commit loop, and commits at least a fence. So a stale activation whose rows are old cannot deny
        // a link that exists (fence), and a link whose Acquire came before the denial is refused (guard).
        return await partition.DecideAsync(
            keys,
            batch => Array.ConvertAll(digests, digest => batch.Has(RepositoryRows.Link(digest)) || guard.Refuse(batch, digest.Value)),
            cancellationToken);
    }

    /// <inheritdoc cref="IRepositoryMaintenanceGrain.Exists"/>
    public async Task<bool> ExistsAsync(Change change, CancellationToken cancellationToken)
    {
        var isRegistered = await partition.ReadAsync([RepositoryRows.Meta], rows => rows.Has(RepositoryRows.Meta), cancellationToken);
        var mayLeave = isRegistered && options.RemoveEmpty && await catalog.IsEmptyAsync(cancellationToken);
        var exists = mayLeave
            ? await schedule.DecideAsync([RepositoryRows.Meta, LogRows.History], LeaveIfEmpty, cancellationToken)
            : await partition.DecideAsync([RepositoryRows.Meta], IsRegistered, cancellationToken);
        await releases.DrainAsync();
        return exists;

        bool LeaveIfEmpty(RowBatch batch)
        {
            catalog.UnregisterIfEmpty(batch, change);
            return IsRegistered(batch);
        }
    }

    private bool IsRegistered(RowBatch batch) => batch.Has(RepositoryRows.Meta) || guard.Refuse(batch, RepositoryRows.CatalogEntry);
}
