using Orleans.Concurrency;

namespace Granary.Grains.Interfaces.Schedules;

/// <summary>
/// A list of upload sessions or repositories, ordered by the time at which the sweep looks at them. <see cref="ScheduleKeys"/> has the
/// grains' keys. An entry is committed before, or atomically with, the data that it points to. So no data is without an entry, and the
/// sweep finds what is due without a walk through everything.
/// </summary>
[Alias("granary.schedule")]
public interface IScheduleGrain : IGrainWithStringKey
{
    /// <summary>Commits an entry.</summary>
    [AlwaysInterleave, Alias("schedule")]
    Task Schedule(string subject, DateTimeOffset due, CancellationToken cancellationToken);

    /// <summary>Commits an entry for data that is not stored yet. The answer may leave before the commit is durable.</summary>
    /// <returns>The ticket that the commit of the data has to depend on; null if the entry is durable.</returns>
    [AlwaysInterleave, Alias("schedule-ahead")]
    Task<CommitTicket?> ScheduleEarly(string subject, DateTimeOffset due, CancellationToken cancellationToken);

    /// <summary>Returns the first entries that are due, at most <paramref name="limit"/>.</summary>
    [AlwaysInterleave, Alias("due")]
    Task<ScheduledItem[]> Due(int limit, CancellationToken cancellationToken);

    /// <summary>
    /// Returns entries after <paramref name="after"/>, due or not, in the order of their times; at most <paramref name="limit"/>.
    /// </summary>
    [AlwaysInterleave, Alias("list")]
    Task<ScheduledItem[]> List(ScheduledItem? after, int limit, CancellationToken cancellationToken);

    /// <summary>Removes an entry.</summary>
    [AlwaysInterleave, Alias("remove")]
    Task Remove(ScheduledItem entry, CancellationToken cancellationToken);
}
