using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Repositories;

/// <summary>
/// Sees to it that a schedule knows a repository before it has <c>due/</c> rows: whatever dies in between, somebody will look. The row <c>sweep</c> says that one does.
/// </summary>
internal sealed class SweepSchedule(Partition rows, RepositoryName name, LinkGuard guard, IGrainFactory grains, LifetimeOptions lifetimes, TimeProvider time)
{
    // The sweep ends a schedule when nothing is due; that it does so between the two steps of one command, again and again, is no coincidence but a defect.
    private const int MaxAttempts = 16;

    /// <summary>Tells the schedule, if none knows the repository. Answers from when on that counts, or null if one did already.</summary>
    public async ValueTask<PendingRegistration?> RegisterAsync(CancellationToken cancellationToken)
    {
        if (await rows.ReadAsync([RepositoryRows.Sweep], view => view.Has(RepositoryRows.Sweep), cancellationToken))
        {
            return null;
        }

        var sequence = rows.NextVersion;
        return new PendingRegistration(
            sequence,
            await grains.GetGrain<IScheduleGrain>(ScheduleKeys.OfRepository(name)).ScheduleEarly(name.Value, time.GetUtcNow() + lifetimes.LinkGrace, cancellationToken));
    }

    /// <summary>Records that a schedule knows the repository; false if the sweep has come and gone since it was announced.</summary>
    public bool Confirm(RowBatch batch, PendingRegistration? announced) => guard.Confirm(batch, RepositoryRows.Sweep, RepositoryRows.Sweep, announced);

    /// <summary>
    /// Records that no schedule needs to know the repository: nothing is due. As every no on which others rely, that is a commit, and refuses whoever announced before it.
    /// </summary>
    public void End(RowBatch batch)
    {
        guard.Deny(RepositoryRows.Sweep, batch.Version);
        batch.Fence();
        if (batch.Has(RepositoryRows.Sweep))
        {
            batch.Delete(RepositoryRows.Sweep);
        }
    }

    /// <summary>A decision that makes <c>due/</c> rows.</summary>
    public async Task<T> DecideAsync<T>(IReadOnlyList<string> needs, Func<RowBatch, T> decide, CancellationToken cancellationToken)
    {
        using var flight = guard.Enter();
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var announced = await RegisterAsync(cancellationToken);
            var (isDecided, answer) = await rows.DecideAsync(
                [RepositoryRows.Sweep, .. needs],
                batch => Confirm(batch, announced) ? (true, decide(batch)) : (false, default!),
                dependsOn: [announced?.DependsOn],
                cancellationToken);
            if (isDecided)
            {
                return answer;
            }
        }

        throw new PartitionUnavailableException(PartitionFault.Unavailable, $"Repository '{name}' was swept {MaxAttempts} times under one command; try again.");
    }
}
