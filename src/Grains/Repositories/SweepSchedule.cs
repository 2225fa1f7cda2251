using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Repositories;

/// <summary>
/// Registers a repository in a schedule before the repository has <c>due/</c> rows, so that a crash between the two leaves no due row that
/// the sweep does not find. The row <c>sweep</c> records the registration. While only the log is due, the schedule has an entry for that
/// time, and there is no row <c>sweep</c>: due rows of blobs and subjects need an earlier entry.
/// </summary>
internal sealed class SweepSchedule(
    Partition partition,
    RepositoryName name,
    LinkGuard guard,
    IGrainFactory grains,
    LifetimeOptions lifetimes,
    TimeProvider time)
{
    // A sweep unregisters the repository when nothing is due. So many sweeps between the steps of one command are a defect.
    private const int MaxAttempts = 16;

    /// <summary>Registers the repository in its schedule. Returns null if the row <c>sweep</c> records a registration already.</summary>
    public async ValueTask<PendingRegistration?> PrepareAsync(CancellationToken cancellationToken)
    {
        if (await partition.ReadAsync([RepositoryRows.Sweep], rows => rows.Has(RepositoryRows.Sweep), cancellationToken))
        {
            return null;
        }

        var sequence = partition.NextVersion;
        var schedule = grains.GetGrain<IScheduleGrain>(ScheduleKeys.OfRepository(name));
        var ticket = await schedule.ScheduleEarly(name.Value, time.GetUtcNow() + lifetimes.LinkGrace, cancellationToken);
        return new PendingRegistration(sequence, ticket);
    }

    /// <summary>
    /// Records the registration. Returns false if a sweep has unregistered the repository since: the caller has to prepare again.
    /// </summary>
    public bool Register(RowBatch batch, PendingRegistration? pending) =>
        guard.Register(batch, RepositoryRows.Sweep, RepositoryRows.Sweep, pending);

    /// <summary>
    /// Removes the registration: nothing is due, or only the log. This is a commit even if no row changes (<c>fence</c>), and it refuses
    /// registrations that were prepared before it (<c>guard</c>).
    /// </summary>
    public void Unregister(RowBatch batch)
    {
        guard.Deny(RepositoryRows.Sweep, batch.Version);
        batch.Fence();
        if (batch.Has(RepositoryRows.Sweep))
        {
            batch.Delete(RepositoryRows.Sweep);
        }
    }

    /// <summary>Runs a decision that puts <c>due/</c> rows, and registers the repository in the same commit.</summary>
    public async Task<T> DecideAsync<T>(IReadOnlyList<string> needs, Func<RowBatch, T> decide, CancellationToken cancellationToken)
    {
        using var acquire = guard.BeginAcquire();
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            var pending = await PrepareAsync(cancellationToken);
            var (isRegistered, answer) = await partition.DecideAsync(
                [RepositoryRows.Sweep, .. needs],
                batch => Register(batch, pending) ? (true, decide(batch)) : (false, default!),
                dependsOn: [pending?.DependsOn],
                cancellationToken);
            if (isRegistered)
            {
                return answer;
            }
        }

        throw new PartitionUnavailableException(
            PartitionFault.Unavailable,
            $"Sweeps ended the schedule of repository '{name}' {MaxAttempts} times during one command; try again.");
    }
}
