using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Partitions;
using Granary.Storage.Partitions;
using Microsoft.Extensions.Logging;
using Orleans.Placement;

namespace Granary.Grains.Schedules;

/// <inheritdoc cref="IScheduleGrain"/>
[HashBasedPlacement]
internal sealed class ScheduleGrain(IPartitionStore store, TimeProvider time, ILogger<ScheduleGrain> logger)
    : PartitionGrain(store, time, logger), IScheduleGrain
{
    /// <inheritdoc/>
    protected override PartitionKey PartitionKey => ScheduleRows.Partition(this.GetPrimaryKeyString());

    /// <inheritdoc/>
    public Task Schedule(string subject, DateTimeOffset due, CancellationToken cancellationToken) =>
        Partition.DecideAsync([], rows => Put(rows, subject, due), cancellationToken);

    /// <inheritdoc/>
    public async Task<CommitTicket?> ScheduleEarly(string subject, DateTimeOffset due, CancellationToken cancellationToken) =>
        (await Partition.DecideEarlyAsync([], rows => Put(rows, subject, due), _ => true, cancellationToken)).Ticket;

    /// <inheritdoc/>
    public async Task<ScheduledItem[]> Due(int limit, CancellationToken cancellationToken) =>
        await FirstAsync(after: null, limit, until: Time.GetUtcNow(), cancellationToken);

    /// <inheritdoc/>
    public async Task<ScheduledItem[]> List(ScheduledItem? after, int limit, CancellationToken cancellationToken) =>
        await FirstAsync(after, limit, until: DateTimeOffset.MaxValue, cancellationToken);

    /// <inheritdoc/>
    public Task Remove(ScheduledItem entry, CancellationToken cancellationToken)
    {
        var key = ScheduleRows.Due(entry.Due, entry.Subject);
        return Partition.DecideAsync([key], rows => Delete(rows, key), cancellationToken);
    }

    private async Task<ScheduledItem[]> FirstAsync(
        ScheduledItem? after,
        int limit,
        DateTimeOffset until,
        CancellationToken cancellationToken)
    {
        var entries = new List<ScheduledItem>();
        var start = after is null ? null : ScheduleRows.Due(after.Due, after.Subject);
        await foreach (var row in Partition.ScanAsync(ScheduleRows.DuePrefix, start, cancellationToken))
        {
            var (due, subject) = ScheduleRows.ParseDue(row.Key);
            if (entries.Count == limit || due > until)
            {
                break;
            }

            entries.Add(new ScheduledItem(subject, due));
        }

        return [.. entries];
    }

    private static bool Put(RowBatch rows, string subject, DateTimeOffset due)
    {
        rows.Put(ScheduleRows.Due(due, subject), ScheduleRows.Mark);
        return true;
    }

    private static bool Delete(RowBatch rows, string key)
    {
        if (rows.Has(key))
        {
            rows.Delete(key);
        }

        return true;
    }
}
