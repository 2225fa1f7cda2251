using Granary.Grains.Interfaces.Uploads;
using Granary.Grains.Partitions;
using Granary.Storage;
using Granary.Storage.Partitions;
using Orleans.Concurrency;

namespace Granary.Grains.Uploads;

/// <inheritdoc cref="IUploadStatusGrain"/>
/// <remarks>
/// It keeps no state, so that all its activations answer the same: whatever the session's grain has acknowledged is in the store.
/// </remarks>
[StatelessWorker]
internal sealed class UploadStatusGrain(IPartitionStore store) : Grain, IUploadStatusGrain
{
    private static readonly string[] Needs = [UploadRows.Session];

    /// <inheritdoc/>
    public async Task<UploadStatus> Find(string id, CancellationToken cancellationToken)
    {
        var partition = UploadRows.Partition(id);
        try
        {
            var values = await store.GetAsync(partition, Needs, cancellationToken);
            return UploadRules.Status(values[0] is { } value ? SessionRow.Decode(value) : null);
        }
        catch (StorageException e)
        {
            throw PartitionFaults.Translate(e, partition);
        }
    }
}
