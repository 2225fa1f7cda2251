using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Protocol;
using Granary.Storage;
using Granary.Storage.Partitions;
using Orleans.Concurrency;

namespace Granary.Grains.Repositories;

/// <inheritdoc cref="IRepositoryProbeGrain"/>
/// <remarks>
/// It has no state, so any number of activations give the same answers: all that a repository has acknowledged is in the store.
/// </remarks>
[StatelessWorker]
internal sealed class RepositoryProbeGrain(IPartitionStore store) : Grain, IRepositoryProbeGrain
{
    /// <inheritdoc/>
    public async Task<bool[]> AreCollectable(RepositoryName[] repositories, CancellationToken cancellationToken)
    {
        var answers = new bool[repositories.Length];
        for (var i = 0; i < repositories.Length; i++)
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
