using Granary.Grains.Interfaces.Catalog;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories.History;
using Granary.Protocol;

namespace Granary.Grains.Repositories;

/// <summary>
/// Registers a repository in the catalog before clients can see any content of it, and removes it from the catalog when it is empty
/// (<c>catalog-seq</c>, <c>catalog-guard</c>). The row <c>meta</c> records the registration.
/// </summary>
internal sealed class CatalogRegistration(Partition partition, RepositoryName name, LinkGuard guard, IGrainFactory grains)
{
    /// <summary>Adds the repository to the catalog. Returns null if the row <c>meta</c> records a registration already.</summary>
    public async ValueTask<PendingRegistration?> PrepareAsync(CancellationToken cancellationToken)
    {
        if (await partition.ReadAsync([RepositoryRows.Meta], rows => rows.Has(RepositoryRows.Meta), cancellationToken))
        {
            return null;
        }

        var sequence = partition.NextVersion;
        return new PendingRegistration(sequence, await grains.GetGrain<ICatalogGrain>(0).Add(name, sequence, cancellationToken));
    }

    /// <summary>
    /// Records the registration, with a line of the log. Returns false if the repository has left the catalog since: the caller has to
    /// prepare again. If the line needs it (<see cref="LogRules.NeedsSchedule"/>), the caller registers the repository in a schedule first.
    /// </summary>
    public bool Register(RowBatch batch, PendingRegistration? pending, Change change)
    {
        if (batch.Has(RepositoryRows.Meta))
        {
            return true;
        }

        if (!guard.Register(batch, RepositoryRows.Meta, RepositoryRows.CatalogEntry, pending))
        {
            return false;
        }

        Floor.Enter(batch);
        LogRules.AppendRepository(batch, change, ChangeKind.RepositoryCreated);
        return true;
    }

    /// <summary>Returns whether the repository has neither manifests nor blobs. Clients may push after this read.</summary>
    public async Task<bool> IsEmptyAsync(CancellationToken cancellationToken) =>
        await partition.ListAsync(RepositoryRows.ManifestPrefix, after: null, limit: 1, key => key, cancellationToken) is { Items: [] }
        && await partition.ListAsync(RepositoryRows.LinkPrefix, after: null, limit: 1, key => key, cancellationToken) is { Items: [] };

    /// <summary>
    /// Removes the registration if the repository is still empty. Callers ask <see cref="IsEmptyAsync"/> first, so that the scans of this
    /// decision find few rows.
    /// </summary>
    public void UnregisterIfEmpty(RowBatch batch, Change change)
    {
        if (!batch.Has(RepositoryRows.Meta)
            || batch.Scan(RepositoryRows.ManifestPrefix).Count > 0
            || batch.Scan(RepositoryRows.LinkPrefix).Count > 0)
        {
            return;
        }

        Floor.Leave(batch);
        LogRules.AppendRepository(batch, change, ChangeKind.RepositoryDeleted);
        batch.Put(RepositoryRows.Out(batch.Version, RepositoryRows.CatalogEntry), RepositoryRows.Mark);
        guard.Deny(RepositoryRows.CatalogEntry, batch.Version);
    }
}
