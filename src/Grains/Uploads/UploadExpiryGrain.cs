using Granary.Grains.Interfaces.Uploads;
using Granary.Grains.Partitions;
using Granary.Storage.Partitions;
using Microsoft.Extensions.Logging;

namespace Granary.Grains.Uploads;

/// <inheritdoc cref="IUploadExpiryGrain"/>
internal sealed class UploadExpiryGrain(IPartitionStore store, TimeProvider time, ILogger<UploadExpiryGrain> logger)
    : PartitionGrain(store, logger), IUploadExpiryGrain
{
    private static readonly ReadOnlyMemory<byte> Mark = new byte[] { 1 };

    /// <inheritdoc/>
    protected override PartitionKey PartitionKey => UploadRows.ExpiryPartition(this.GetPrimaryKeyLong());

    /// <summary>Which of the grains knows a session: the same one for ever, so no hash that may change with the runtime.</summary>
    public static long Of(string uploadId)
    {
        var hash = 2166136261u;
        foreach (var character in uploadId)
        {
            hash = (hash ^ character) * 16777619u;
        }

        return hash % IUploadExpiryGrain.Count;
    }

    /// <inheritdoc/>
    public Task Schedule(string uploadId, DateTimeOffset due, CancellationToken cancellationToken) => Rows.DecideAsync(
        [],
        rows =>
        {
            rows.Put(UploadRows.Due(due, uploadId), Mark);
            return true;
        },
        cancellationToken);

    /// <inheritdoc/>
    public async Task<ScheduledUpload[]> Due(int limit, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var due = new List<ScheduledUpload>();
        await foreach (var row in Rows.ScanAsync(UploadRows.DuePrefix, after: null, cancellationToken))
        {
            var (at, id) = UploadRows.ParseDue(row.Key);
            if (due.Count == limit || at > now)
            {
                break;
            }

            due.Add(new ScheduledUpload(id, at));
        }

        return [.. due];
    }

    /// <inheritdoc/>
    public Task Remove(ScheduledUpload entry, CancellationToken cancellationToken)
    {
        var key = UploadRows.Due(entry.Due, entry.UploadId);
        return Rows.DecideAsync(
            [key],
            rows =>
            {
                if (rows.Has(key))
                {
                    rows.Delete(key);
                }

                return true;
            },
            cancellationToken);
    }
}
