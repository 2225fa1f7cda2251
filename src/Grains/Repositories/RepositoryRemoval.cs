using Granary.Grains.Interfaces;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories.History;

namespace Granary.Grains.Repositories;

/// <summary>Removes a tag or a manifest, by the rule of order.</summary>
internal sealed class RepositoryRemoval(Partition partition, SweepSchedule schedule)
{
    // It may come and go between the read and the decision. So often during one command is a defect.
    private const int MaxAttempts = 16;

    /// <summary>Makes a removal. Returns false if there is nothing to remove.</summary>
    /// <param name="removal">What is removed.</param>
    /// <param name="change">The change.</param>
    /// <param name="done">Whether an earlier attempt of the command was done.</param>
    /// <param name="isRepeat">Whether there was one.</param>
    /// <param name="cancellationToken">Ends the caller's wait.</param>
    public async Task<bool> RemoveAsync(
        Removal removal,
        Change change,
        DoneSearch done,
        bool isRepeat,
        CancellationToken cancellationToken)
    {
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var needs = await partition.ReadAsync(removal.Keys, removal.Find, cancellationToken);
            if (needs is null && !change.IsShared && !isRepeat)
            {
                return false;
            }

            // Requests for what does not exist must not register the repository in a schedule.
            var ruling = needs is null
                ? await partition.DecideAsync(removal.Keys, batch => DecideAbsent(batch, removal, change, done), cancellationToken)
                : await schedule.DecideAsync(needs, batch => Decide(batch, removal, change, done), cancellationToken);
            if (await ruling.ProveAsync(partition, cancellationToken) is { } isRemoved)
            {
                return isRemoved;
            }
        }

        throw new PartitionUnavailableException(
            PartitionFault.Unavailable,
            $"What a command removes came and went {MaxAttempts} times during it; try again.");
    }

    private static Ruling<bool?> Decide(RowBatch batch, Removal removal, Change change, DoneSearch done)
    {
        if (done.IsDone(batch))
        {
            return OrderRules.Unchanged<bool?>(batch, change, true);
        }

        if (OrderRules.Refuse<bool?>(batch, change, removal.OrderOf(batch)) is { } late)
        {
            return late;
        }

        return removal.Remove(batch) ? new Ruling<bool?>(true) : OrderRules.Unchanged<bool?>(batch, change, false);
    }

    /// <summary>Decides about what the read has not found. Returns null if it is there now.</summary>
    private static Ruling<bool?> DecideAbsent(RowBatch batch, Removal removal, Change change, DoneSearch done)
    {
        if (done.IsDone(batch))
        {
            return OrderRules.Unchanged<bool?>(batch, change, true);
        }

        if (removal.Find(batch) is not null)
        {
            return new Ruling<bool?>(null);
        }

        return OrderRules.Refuse<bool?>(batch, change, touched: 0) ?? OrderRules.Unchanged<bool?>(batch, change, false);
    }
}

/// <summary>What a command removes.</summary>
/// <param name="Keys">The keys that <paramref name="Find"/> asks for.</param>
/// <param name="Find">Returns the keys that the removal asks for; null if there is nothing to remove.</param>
/// <param name="OrderOf">Returns the highest order of the rows that the removal touches.</param>
/// <param name="Remove">Removes it. Returns false if there is nothing to remove.</param>
internal sealed record Removal(
    IReadOnlyList<string> Keys,
    Func<RowView, IReadOnlyList<string>?> Find,
    Func<RowView, long> OrderOf,
    Func<RowBatch, bool> Remove);
