using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Protocol;
using Granary.Storage;
using Granary.Storage.Partitions;
using Orleans.Concurrency;

namespace Granary.Grains.Repositories;

/// <inheritdoc cref="IRepositoryProbeGrain"/>
/// <remarks>It keeps nothing, so that any number of it, anywhere, say the same: what a repository's grain has acknowledged is in the store.</remarks>
[StatelessWorker]
internal sealed class RepositoryProbeGrain(IPartitionStore store) : Grain, IRepositoryProbeGrain
{
    /// <inheritdoc/>
    public async Task<bool[]> AreCollectable(RepositoryName[] repositories, CancellationToken cancellationToken)
    {
        var answers = new bool[repositories.Length];
        for (var i = 0; i < repositories.Length; i++)
        {
            var rows = RepositoryRows.Partition(repositories[i]);
            try
            {
                answers[i] = await HasAsync(rows, RepositoryRows.DuePrefix, cancellationToken)
                    || await HasAsync(rows, RepositoryRows.OutPrefix, cancellationToken)
                    || !(await HasAsync(rows, RepositoryRows.LinkPrefix, cancellationToken) || await HasAsync(rows, RepositoryRows.ManifestPrefix, cancellationToken));
            }
            catch (StorageException e)
            {
                throw PartitionFaults.Translate(e, rows);
            }
        }

        return answers;
    }

    private async ValueTask<bool> HasAsync(PartitionKey partition, string prefix, CancellationToken cancellationToken) =>
        (await store.ScanAsync(partition, prefix, after: null, limit: 1, cancellationToken)).Rows.Count > 0;
}
