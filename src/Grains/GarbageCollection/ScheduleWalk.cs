using Granary.Grains.Interfaces.Schedules;

namespace Granary.Grains.GarbageCollection;

/// <summary>Processes the upload sessions or repositories of several schedules, each of them once in a walk.</summary>
internal sealed class ScheduleWalk(IGrainFactory grains, TimeProvider time, CollectionThrottle throttle)
{
    // Entries that a schedule lists at once. They are only names and times.
    private const int PageSize = 128;

    /// <summary>
    /// Processes the subjects that are due, and removes or replaces their entries. Commands that died may have left several entries of one
    /// subject: the walk takes all that were due before it began with the subject. Entries that become due later are for the next walk.
    /// Without this rule, clocks that differ could make a subject due again and again.
    /// </summary>
    public async Task ProcessDueAsync(IReadOnlyList<string> keys, Func<string, SubjectStep> begin, CancellationToken cancellationToken)
    {
        var failures = new DeferredFailures(cancellationToken);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        List<CollectionStep> work;
        do
        {
            var pages = await Task.WhenAll(keys.Select(key => DueAsync(key, failures, cancellationToken)));
            work = [.. pages.SelectMany(page => page.Entries
                .GroupBy(entry => entry.Subject)
                .Where(group => seen.Add(group.Key))
                .Select(group => Process(page.Schedule, [.. group], begin(group.Key), cancellationToken)))];
            await throttle.RunAllAsync(work, failures, cancellationToken);
        }
        while (work.Count > 0);

        failures.ThrowFirst();
    }

    /// <summary>
    /// Processes the subjects that meet a condition, due or not, and leaves their entries alone. Without an answer, all meet it.
    /// </summary>
    public async Task ProcessAllAsync(
        IReadOnlyList<string> keys,
        Func<string[], Task<bool[]>> condition,
        Func<string, SubjectStep> begin,
        CancellationToken cancellationToken)
    {
        var failures = new DeferredFailures(cancellationToken);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var after = new ScheduledItem?[keys.Count];
        ScheduledItem[][] pages;
        do
        {
            pages = await Task.WhenAll(keys.Select((key, i) => ListAsync(key, after[i], failures, cancellationToken)));
            string[] subjects = [.. pages.SelectMany(page => page).Select(entry => entry.Subject).Where(seen.Add)];
            var isMet = await failures.TryAsync(() => condition(subjects));
            var work = subjects.Where((_, i) => isMet?[i] ?? true).Select(subject => Process(begin(subject)));
            await throttle.RunAllAsync(work, failures, cancellationToken);
            after = [.. pages.Select((page, i) => page is [.., var last] ? last : after[i])];
        }
        while (pages.Any(page => page.Length > 0));

        failures.ThrowFirst();
    }

    private static CollectionStep Process(SubjectStep step) => async maxRows => (await step(maxRows)).More;

    private CollectionStep Process(
        IScheduleGrain schedule,
        ScheduledItem[] entries,
        SubjectStep step,
        CancellationToken cancellationToken) => async maxRows =>
    {
        var answer = await step(maxRows);
        if (!answer.More)
        {
            await RescheduleAsync(schedule, entries, answer.Next, cancellationToken);
        }

        return answer.More;
    };

    /// <summary>
    /// Commits the entry of the next look before it removes those of this one, so that a crash leaves an entry too many and not one too
    /// few.
    /// </summary>
    private async Task RescheduleAsync(
        IScheduleGrain schedule,
        ScheduledItem[] entries,
        DateTimeOffset? next,
        CancellationToken cancellationToken)
    {
        if (next is { } due)
        {
            // Later than all entries of this look. Where clocks differ, the new entry could otherwise be one that is removed below.
            var (now, last) = (time.GetUtcNow(), entries.Max(entry => entry.Due));
            var soonest = (now > last ? now : last) + TimeSpan.FromSeconds(1);
            await schedule.Schedule(entries[0].Subject, due > soonest ? due : soonest, cancellationToken);
        }

        await Task.WhenAll(entries.Select(entry => schedule.Remove(entry, cancellationToken)));
    }

    private async Task<(IScheduleGrain Schedule, ScheduledItem[] Entries)> DueAsync(
        string key,
        DeferredFailures failures,
        CancellationToken cancellationToken)
    {
        var schedule = grains.GetGrain<IScheduleGrain>(key);
        return (schedule, await failures.TryAsync(() => schedule.Due(PageSize, cancellationToken)) ?? []);
    }

    private async Task<ScheduledItem[]> ListAsync(
        string key,
        ScheduledItem? after,
        DeferredFailures failures,
        CancellationToken cancellationToken)
    {
        var schedule = grains.GetGrain<IScheduleGrain>(key);
        return await failures.TryAsync(() => schedule.List(after, PageSize, cancellationToken)) ?? [];
    }
}
