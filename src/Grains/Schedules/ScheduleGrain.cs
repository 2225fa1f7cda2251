using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Partitions;
using Granary.Storage.Partitions;
using Microsoft.Extensions.Logging;

namespace Granary.Grains.Schedules;

/// <inheritdoc cref="IScheduleGrain"/>
internal sealed class ScheduleGrain(IPartitionStore store, TimeProvider time, ILogger<ScheduleGrain> logger)
    : PartitionGrain(store, logger), IScheduleGrain
{
    /// <inheritdoc/>
    protected override PartitionKey PartitionKey => ScheduleRows.Partition(this.GetPrimaryKeyString());

    /// <inheritdoc/>
    public Task Schedule(string subject, DateTimeOffset due, CancellationToken cancellationToken) =>
        Rows.DecideAsync([], rows => Record(rows, subject, due), cancellationToken);

    /// <inheritdoc/>
    public async Task<CommitTicket?> ScheduleEarly(string subject, DateTimeOffset due, CancellationToken cancellationToken) =>
        (await Rows.DecideEarlyAsync([], rows => Record(rows, subject, due), _ => true, cancellationToken)).Ticket;

    /// <inheritdoc/>
    public async Task<ScheduledItem[]> Due(int limit, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var due = new List<ScheduledItem>();
        await foreach (var row in Rows.ScanAsync(ScheduleRows.DuePrefix, after: null, cancellationToken))
        {
            var (at, subject) = ScheduleRows.ParseDue(row.Key);
            if (due.Count == limit || at > now)
            {
                break;
            }

            due.Add(new ScheduledItem(subject, at));
        }

        return [.. due];
    }

    /// <inheritdoc/>
    public async Task<ScheduledItem[]> List(ScheduledItem? after, int limit, CancellationToken cancellationToken)
    {
        var entries = new List<ScheduledItem>();
        await foreach (var row in Rows.ScanAsync(ScheduleRows.DuePrefix, after is null ? null : ScheduleRows.Due(after.Due, after.Subject), cancellationToken))
        {
            var (at, subject) = ScheduleRows.ParseDue(row.Key);
            entries.Add(new ScheduledItem(subject, at));
            if (entries.Count == limit)
            {
                break;
            }
        }

        return [.. entries];
    }

    /// <inheritdoc/>
    public Task Remove(ScheduledItem entry, CancellationToken cancellationToken)
    {
        var key = ScheduleRows.Due(entry.Due, entry.Subject);
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

    private static bool Record(RowBatch rows, string subject, DateTimeOffset due)
    {
        rows.Put(ScheduleRows.Due(due, subject), ScheduleRows.Mark);
        return true;
    }
}
