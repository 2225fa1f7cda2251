using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Catalog;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Interfaces.Uploads;
using Granary.Protocol;
using Granary.Storage.Blobs;

namespace Granary.Grains.GarbageCollection;

/// <summary>
/// The steps of a collection, each of bounded size, and each of which can be repeated (docs/garbage-collection.md). Not a grain, since no grain may wait for a grain above it. Two at once do
/// the same work twice, and no harm. What fails is left for the next time, the rest is done, and then the failure is thrown.
/// </summary>
public sealed class GarbageCollector(IGrainFactory grains, IBlobStore store, TimeProvider time, StepRest? rest = null)
{
    /// <summary>How many shards there are.</summary>
    public const int ShardCount = 256;

    // What is listed at once: names and times only.
    private const int PageSize = 128;

    // What is not counted in rows: one commit's worth.
    private const int StepSize = 32;

    // Without clients to give way to, it never rests.
    private readonly StepRest _rest = rest ?? new StepRest(new ClientActivity(time), time);

    /// <summary>Upload sessions of schedules whose time has come: what was never closed is deleted, what was closed is the shard's to decide (rule 8).</summary>
    public Task CollectUploadsAsync(IReadOnlyList<string> scheduleKeys, CollectionCounts counts, CancellationToken cancellationToken) => CollectDueAsync(
        scheduleKeys,
        (schedule, entries) => async _ =>
        {
            await FinishAsync(schedule, entries, await ExpireAsync(entries[0].Subject, counts, cancellationToken), cancellationToken);
            return false;
        },
        cancellationToken);

    /// <summary>Repositories of schedules that have links which nobody needed for the grace (rule 6).</summary>
    public Task CollectRepositoriesAsync(IReadOnlyList<string> scheduleKeys, CollectionCounts counts, CancellationToken cancellationToken) => CollectDueAsync(
        scheduleKeys,
        (schedule, entries) => CollectRepository(
            entries[0].Subject,
            grace: null,
            counts,
            next => FinishAsync(schedule, entries, next, cancellationToken),
            cancellationToken),
        cancellationToken);

    /// <summary>All repositories of schedules, whether they are due or not: with another grace than that of the settings.</summary>
    /// <param name="scheduleKeys">The schedules.</param>
    /// <param name="grace">The grace; null for the setting.</param>
    /// <param name="counts">Counts what goes.</param>
    /// <param name="cancellationToken">Ends it between two steps.</param>
    public async Task CollectAllRepositoriesAsync(
        IReadOnlyList<string> scheduleKeys,
        TimeSpan? grace,
        CollectionCounts counts,
        CancellationToken cancellationToken)
    {
        var rounds = new Rounds(_rest, cancellationToken);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        var after = new ScheduledItem?[scheduleKeys.Count];
        ScheduledItem[][] pages;
        do
        {
            pages = await Task.WhenAll(scheduleKeys.Select((key, i) => ListAsync(rounds, key, after[i], cancellationToken)));
            string[] names = [.. pages.SelectMany(page => page).Select(entry => entry.Subject).Where(seen.Add)];
            await rounds.DoAsync((await CollectableAsync(rounds, names, cancellationToken))
                .Select(name => CollectRepository(name, grace, counts, _ => Task.CompletedTask, cancellationToken)));
            after = [.. pages.Select((page, i) => page is [.., var last] ? last : after[i])];
        }
        while (pages.Any(page => page.Length > 0));

        rounds.End();
    }

    /// <summary>Manifests of a repository that no tag leads to.</summary>
    public async Task CollectUntaggedAsync(RepositoryName repository, DateTimeOffset pushedBefore, CollectionCounts counts, CancellationToken cancellationToken)
    {
        var maintenance = grains.GetGrain<IRepositoryMaintenanceGrain>(repository.Value);
        int removed;
        do
        {
            removed = 0;
            Digest? after = null;
            do
            {
                var from = after;
                var answer = await _rest.DoAsync(() => maintenance.CollectUntagged(new CollectUntagged(pushedBefore, StepSize, from), cancellationToken), cancellationToken);
                removed += answer.Removed;
                after = answer.After;
            }
            while (after is not null);

            counts.Add(new CollectionCounts { ManifestsRemoved = removed });
        }
        while (removed > 0);
    }

    /// <summary>Entries of the catalog whose repositories have to be asked whether they still exist (rule 9).</summary>
    public async Task CollectCatalogAsync(CancellationToken cancellationToken)
    {
        var catalog = grains.GetGrain<ICatalogGrain>(0);
        while (await catalog.Due(StepSize, cancellationToken) is { Length: > 0 } due)
        {
            var exists = await Task.WhenAll(due.Select(entry => grains.GetGrain<IRepositoryMaintenanceGrain>(entry.Repository.Value).Exists(cancellationToken)));
            await catalog.Settle([.. due.Where((_, i) => exists[i])], [.. due.Where((_, i) => !exists[i])], cancellationToken);
        }
    }

    /// <summary>What is due in shards: references that have to be asked about, blobs that nobody refers to, objects that are to be deleted (rule 7).</summary>
    public async Task CollectShardsAsync(IEnumerable<int> numbers, TimeSpan? grace, CollectionCounts counts, CancellationToken cancellationToken)
    {
        var rounds = new Rounds(_rest, cancellationToken);
        await rounds.DoAsync(numbers.Select(number => CollectShard(grains.GetGrain<IBlobShardGrain>(number), grace, counts, cancellationToken)));
        rounds.End();
    }

    private Rounds.Step CollectShard(IBlobShardGrain shard, TimeSpan? grace, CollectionCounts counts, CancellationToken cancellationToken) => async size =>
    {
        var due = await shard.Due(size, grace, cancellationToken);
        if (due.Count == 0)
        {
            return false;
        }

        // What this step did may be due for the next at once: a blob that lost its last reference, the object of one that was collected.
        var dropped = await ProcessDueAsync(shard, due, counts, cancellationToken);
        return due.More || dropped > 0 || due.Orphans.Length > 0;
    };

    /// <summary>Sees to all of it. Answers how many references were dropped.</summary>
    private async Task<int> ProcessDueAsync(IBlobShardGrain shard, ShardDue due, CollectionCounts counts, CancellationToken cancellationToken)
    {
        // :: Step 1: what do the repositories say?
        var answers = await Task.WhenAll(due.References.GroupBy(reference => reference.Repository).Select(async group =>
        {
            DueReference[] asked = [.. group];
            return asked.Zip(await grains.GetGrain<IRepositoryMaintenanceGrain>(group.Key.Value).Holds([.. asked.Select(reference => reference.Digest)], cancellationToken));
        }));
        var byAnswer = answers.SelectMany(answer => answer).ToLookup(answer => answer.Second, answer => answer.First);
        DueReference[] dropped = [.. byAnswer[false]];

        // :: Step 2: bytes whose hold is over.
        foreach (var (id, digest) in due.Doomed)
        {
            await store.DeleteAsync(id, digest, cancellationToken);
        }

        // :: Step 3: who has to know that other bytes count now.
        foreach (var correction in due.Corrections)
        {
            await CorrectAsync(shard, correction, cancellationToken);
        }

        // :: Step 4: all of it in one commit of the shard.
        await shard.Settle(new ShardSettlement([.. byAnswer[true]], dropped, due.Orphans, due.Doomed, due.Remembered, due.Corrections), cancellationToken);
        counts.Add(new CollectionCounts
        {
            ReferencesAsked = due.References.Length,
            ReferencesDropped = dropped.Length,
            BlobsCollected = due.Orphans.Length,
            BytesCollected = due.Orphans.Sum(orphan => orphan.Size),
            ObjectsDeleted = due.Doomed.Length,
        });
        return dropped.Length;
    }

    /// <summary>
    /// Sees to what is due, each subject once, with all its entries that were there before anybody looks at it: commands that died may have left several. Entries that come up later are for the
    /// next look: where clocks differ, one that was put off may be due again at once.
    /// </summary>
    private async Task CollectDueAsync(IReadOnlyList<string> scheduleKeys, Func<IScheduleGrain, ScheduledItem[], Rounds.Step> see, CancellationToken cancellationToken)
    {
        var rounds = new Rounds(_rest, cancellationToken);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        List<Rounds.Step> steps;
        do
        {
            var pages = await Task.WhenAll(scheduleKeys.Select(key => DueAsync(rounds, key, cancellationToken)));
            steps = [.. pages.SelectMany(page => page.Entries
                .GroupBy(entry => entry.Subject)
                .Where(group => seen.Add(group.Key))
                .Select(group => see(page.Schedule, [.. group])))];
            await rounds.DoAsync(steps);
        }
        while (steps.Count > 0);

        rounds.End();
    }

    private async Task<(IScheduleGrain Schedule, ScheduledItem[] Entries)> DueAsync(Rounds rounds, string key, CancellationToken cancellationToken)
    {
        var schedule = grains.GetGrain<IScheduleGrain>(key);
        return (schedule, await rounds.TryAsync(() => schedule.Due(PageSize, cancellationToken)) ?? []);
    }

    private async Task<ScheduledItem[]> ListAsync(Rounds rounds, string key, ScheduledItem? after, CancellationToken cancellationToken) =>
        await rounds.TryAsync(() => grains.GetGrain<IScheduleGrain>(key).List(after, PageSize, cancellationToken)) ?? [];

    /// <summary>Those of the repositories whose grains have to be woken; all, if that cannot be told.</summary>
    private async Task<IEnumerable<string>> CollectableAsync(Rounds rounds, string[] names, CancellationToken cancellationToken)
    {
        var glance = grains.GetGrain<IRepositoryProbeGrain>(0);
        var answers = await rounds.TryAsync(() => glance.AreCollectable(Array.ConvertAll(names, RepositoryName.Parse), cancellationToken));
        return names.Where((_, i) => answers?[i] ?? true);
    }

    /// <summary>Looks at an upload session. Answers when to look again; null for never.</summary>
    private async Task<DateTimeOffset?> ExpireAsync(string id, CollectionCounts counts, CancellationToken cancellationToken)
    {
        var session = grains.GetGrain<IUploadSessionGrain>(id);
        switch (await session.Expire(cancellationToken))
        {
            case ExpireLater later:
                return later.Due;

            case ExpireOpen { Object: var stored }:
                if (stored is { } @object)
                {
                    await store.DeleteAsync(@object, digest: null, cancellationToken);
                    counts.Add(new CollectionCounts { ObjectsDeleted = 1 });
                }

                await session.Forget(cancellationToken);
                counts.Add(new CollectionCounts { UploadsExpired = 1 });
                break;

            case ExpireSealed upload:
                var shard = grains.GetGrain<IBlobShardGrain>(upload.Digest.FirstByte);
                if (await shard.Renounce(upload.Digest, upload.Object, upload.Deadline, cancellationToken) == RenounceAnswer.Renounced)
                {
                    await store.DeleteAsync(upload.Object, upload.Digest, cancellationToken);
                    counts.Add(new CollectionCounts { ObjectsDeleted = 1 });
                }

                if (upload.KeepUntil is { } keepUntil)
                {
                    await session.RecordRenounced(cancellationToken);
                    return keepUntil;
                }

                await session.Forget(cancellationToken);
                break;

            case ExpireRenounced:
                await session.Forget(cancellationToken);
                break;
        }

        return null;
    }

    /// <summary>Plans the next look before this one is forgotten; never under the same entry, which clocks that differ would make of it.</summary>
    private async Task FinishAsync(IScheduleGrain schedule, ScheduledItem[] entries, DateTimeOffset? next, CancellationToken cancellationToken)
    {
        if (next is { } due)
        {
            var (now, last) = (time.GetUtcNow(), entries.Max(entry => entry.Due));
            var soonest = (now > last ? now : last) + TimeSpan.FromSeconds(1);
            await schedule.Schedule(entries[0].Subject, due > soonest ? due : soonest, cancellationToken);
        }

        await Task.WhenAll(entries.Select(entry => schedule.Remove(entry, cancellationToken)));
    }

    private Rounds.Step CollectRepository(
        string name,
        TimeSpan? grace,
        CollectionCounts counts,
        Func<DateTimeOffset?, Task> finish,
        CancellationToken cancellationToken)
    {
        var maintenance = grains.GetGrain<IRepositoryMaintenanceGrain>(name);
        string? after = null;
        var manifests = 0;
        return async size =>
        {
            var answer = await maintenance.Collect(new CollectLinks(size, grace, after), cancellationToken);
            after = answer.After;
            manifests += answer.Manifests;
            counts.Add(new CollectionCounts { BlobsUnlinked = answer.Unlinked.Length, ManifestsRemoved = answer.Manifests });
            if (answer.More)
            {
                return true;
            }

            if (manifests > 0)
            {
                // Their blobs may have become unused in the last step, which does not see them any more: once more from the first.
                manifests = 0;
                after = null;
                return true;
            }

            await finish(answer.Next);
            return false;
        };
    }

    private async Task CorrectAsync(IBlobShardGrain shard, Correction correction, CancellationToken cancellationToken)
    {
        RepositoryName? after = null;
        while (correction.Content is { } content
            && await shard.FindRepositories(correction.Digest, after, StepSize, cancellationToken) is { Length: > 0 } repositories)
        {
            foreach (var repository in repositories)
            {
                await grains.GetGrain<IRepositoryMaintenanceGrain>(repository.Value).Correct(correction.Digest, content, correction.IsDamaged, cancellationToken);
            }

            after = repositories[^1];
        }
    }
}
