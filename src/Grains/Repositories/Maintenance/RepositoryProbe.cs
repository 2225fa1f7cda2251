using Granary.Grains.Partitions;
using Granary.Protocol;
using Granary.Storage;
using Granary.Storage.Partitions;

namespace Granary.Grains.Repositories.Maintenance;

/// <summary>
/// Reads the rows of repositories without activating their grains. A collection with a grace period of its own looks at every scheduled
/// repository, and most have nothing to collect. Activating each of them would cost more than the rest of the collection, and would hold
/// memory until the activations are idle. All that a repository has acknowledged is in the store.
/// </summary>
internal sealed class RepositoryProbe(IPartitionStore store)
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
        await HasAsync(partition, RepositoryRows.DuePrefix, cancellationToken)
        || await HasAsync(partition, RepositoryRows.OutPrefix, cancellationToken)
        || !(await HasAsync(partition, RepositoryRows.LinkPrefix, cancellationToken)
            || await HasAsync(partition, RepositoryRows.ManifestPrefix, cancellationToken));

    private async ValueTask<bool> HasAsync(PartitionKey partition, string prefix, CancellationToken cancellationToken) =>
        (await store.ScanAsync(partition, prefix, after: null, limit: 1, cancellationToken)).Rows.Count > 0;
}
