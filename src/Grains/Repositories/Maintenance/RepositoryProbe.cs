using Granary.Grains.Partitions;
using Granary.Grains.Repositories.History;
using Granary.Protocol;
using Granary.Storage;
using Granary.Storage.Partitions;

namespace Granary.Grains.Repositories.Maintenance;

/// <summary>
/// Reads the rows of repositories without activating their grains. A collection with a grace period of its own looks at every scheduled
/// repository, and most have nothing to collect. Activating each of them would cost more than the rest of the collection, and would hold
/// memory until the activations are idle. All that a repository has acknowledged is in the store.
/// </summary>
internal sealed class RepositoryProbe(IPartitionStore store, HistoryOptions history, TimeProvider time)
{
    /// <summary>
    /// Returns, for each repository in the order given, whether a collection might find something in it: an unused blob, a deleted
    /// manifest, a reference that is not released yet, or an empty repository that has to leave the catalog.
    /// </summary>
    /// <exception cref="Interfaces.PartitionUnavailableException">The store fails.</exception>
    public async Task<bool[]> AreCollectableAsync(IReadOnlyList<RepositoryName> repositories, CancellationToken cancellationToken)
    {
        var answers = new bool[repositories.Count];
        for (var i = 0; i < answers.Length; i++)
        {
            var partition = RepositoryRows.Partition(repositories[i]);
            try
            {
                answers[i] = await IsCollectableAsync(partition, cancellationToken);
            }
            catch (StorageException e)
            {
                throw PartitionFaults.Translate(e, partition);
            }
        }

        return answers;
    }

    private async ValueTask<bool> IsCollectableAsync(PartitionKey partition, CancellationToken cancellationToken) =>
        await HasDueAsync(partition, cancellationToken)
        || await HasAsync(partition, RepositoryRows.OutPrefix, cancellationToken)
        || !(await HasAsync(partition, RepositoryRows.LinkPrefix, cancellationToken)
            || await HasAsync(partition, RepositoryRows.ManifestPrefix, cancellationToken)
            || await HasLeftAsync(partition, cancellationToken));

    /// <summary>Returns whether there is a <c>due/</c> row. That of the log counts only if lines have to be removed.</summary>
    private async ValueTask<bool> HasDueAsync(PartitionKey partition, CancellationToken cancellationToken)
    {
        var page = await store.ScanAsync(partition, RepositoryRows.DuePrefix, after: null, limit: 2, cancellationToken);
        var now = time.GetUtcNow();
        return page.Rows.Select(row => RepositoryRows.ParseDue(row.Key))
            .Any(due => due.Kind != DueKind.Log || LogRules.IsDue(due.Time, now, history.Retention));
    }

    /// <summary>Returns whether a repository has left the catalog, and has only lines of its log.</summary>
    private async ValueTask<bool> HasLeftAsync(PartitionKey partition, CancellationToken cancellationToken) =>
        await store.GetAsync(partition, [RepositoryRows.Meta, LogRows.History], cancellationToken) is [null, not null];

    private async ValueTask<bool> HasAsync(PartitionKey partition, string prefix, CancellationToken cancellationToken) =>
        (await store.ScanAsync(partition, prefix, after: null, limit: 1, cancellationToken)).Rows.Count > 0;
}
