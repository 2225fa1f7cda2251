using System.Runtime.CompilerServices;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Catalog;
using Granary.Grains.Interfaces.Collection;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Interfaces.Uploads;
using Granary.Protocol;
using Granary.Storage.Blobs;

namespace Granary.Grains.Collection;

/// <summary>
/// The steps of a collection, each of bounded size, and each of which can be repeated (docs/garbage-collection.md). Not a grain, since no grain may wait for a grain above it. Two at once do
/// the same work twice, and no harm.
/// </summary>
public sealed class GarbageCollector(IGrainFactory grains, IBlobStore store, TimeProvider time, StepRest? rest = null)
{
    /// <summary>How many shards there are.</summary>
    public const int Shards = 256;

    // One commit's worth: some milliseconds, and then pushes have their turn.
    private const int StepSize = 32;

    /// <summary>Upload sessions of a schedule whose time has come: what was never closed is deleted, what was closed is the shard's to decide (rule 8).</summary>
    public async Task CollectUploadsAsync(string scheduleKey, CollectionCounts counts, CancellationToken cancellationToken)
    {
        var schedule = grains.GetGrain<IScheduleGrain>(scheduleKey);
        await foreach (var entries in DueAsync(schedule, cancellationToken))
        {
            var next = await StepAsync(() => ExpireAsync(entries[0].Subject, counts, cancellationToken), cancellationToken);
            await FinishAsync(schedule, entries, next, cancellationToken);
        }
    }

    /// <summary>Repositories of a schedule that have links which nobody needed for the grace (rule 6).</summary>
    public async Task CollectRepositoriesAsync(string scheduleKey, CollectionCounts counts, CancellationToken cancellationToken)
    {
        var schedule = grains.GetGrain<IScheduleGrain>(scheduleKey);
        await foreach (var entries in DueAsync(schedule, cancellationToken))
        {
            var next = await CollectRepositoryAsync(entries[0].Subject, grace: null, dryRun: null, counts, cancellationToken);
            await FinishAsync(schedule, entries, next, cancellationToken);
        }
    }

    /// <summary>All repositories of a schedule, whether they are due or not: with another grace than that of the settings.</summary>
    /// <param name="scheduleKey">The schedule.</param>
    /// <param name="grace">The grace; null for the setting.</param>
    /// <param name="dryRun">Takes what would go, instead of letting it go; null: it goes.</param>
    /// <param name="counts">Counts it.</param>
    /// <param name="cancellationToken">Ends it between two steps.</param>
    public async Task CollectAllRepositoriesAsync(
        string scheduleKey,
        TimeSpan? grace,
        DryRun? dryRun,
        CollectionCounts counts,
        CancellationToken cancellationToken)
    {
        var schedule = grains.GetGrain<IScheduleGrain>(scheduleKey);
        var seen = new HashSet<string>(StringComparer.Ordinal);
        ScheduledItem? after = null;
        while (await schedule.List(after, StepSize, cancellationToken) is { Length: > 0 } entries)
        {
            foreach (var entry in entries.Where(entry => seen.Add(entry.Subject)))
            {
                await CollectRepositoryAsync(entry.Subject, grace, dryRun, counts, cancellationToken);
            }

            after = entries[^1];
        }
    }

    /// <summary>Manifests of a repository that no tag leads to.</summary>
    public async Task CollectUntaggedAsync(RepositoryName repository, DateTimeOffset pushedBefore, bool dryRun, CollectionCounts counts, CancellationToken cancellationToken)
    {
        var upkeep = grains.GetGrain<IRepositoryUpkeepGrain>(repository.Value);
        int removed;
        do
        {
            removed = 0;
            Digest? after = null;
            do
            {
                var from = after;
                var answer = await StepAsync(() => upkeep.CollectUntagged(new CollectUntagged(pushedBefore, StepSize, from, dryRun), cancellationToken), cancellationToken);
                removed += answer.Removed;
                after = answer.After;
            }
            while (after is not null);

            counts.ManifestsRemoved += removed;
        }
        while (removed > 0 && !dryRun);
    }

    /// <summary>Entries of the catalog whose repositories have to be asked whether they still exist (rule 9).</summary>
    public async Task CollectCatalogAsync(CancellationToken cancellationToken)
    {
        var catalog = grains.GetGrain<ICatalogGrain>(0);
        while (await catalog.Due(StepSize, cancellationToken) is { Length: > 0 } due)
        {
            var (held, dropped) = (new List<CatalogEntry>(), new List<CatalogEntry>());
            foreach (var entry in due)
            {
                var exists = await grains.GetGrain<IRepositoryUpkeepGrain>(entry.Repository.Value).Exists(cancellationToken);
                (exists ? held : dropped).Add(entry);
            }

            await catalog.Settle([.. held], [.. dropped], cancellationToken);
        }
    }

    /// <summary>What is due in a shard: references that have to be asked about, blobs that nobody refers to, objects that are to be deleted (rule 7).</summary>
    public async Task CollectShardAsync(int number, TimeSpan? grace, CollectionCounts counts, CancellationToken cancellationToken)
    {
        var shard = grains.GetGrain<IBlobShardGrain>(number);
        while (await shard.Due(StepSize, grace, cancellationToken) is { Count: > 0 } due)
        {
            await StepAsync(() => SeeToAsync(shard, due, counts, cancellationToken), cancellationToken);
        }
    }

    private async Task<bool> SeeToAsync(IBlobShardGrain shard, ShardDue due, CollectionCounts counts, CancellationToken cancellationToken)
    {
        // :: Step 1: what do the repositories say?
        var (held, dropped) = (new List<DueReference>(), new List<DueReference>());
        foreach (var group in due.References.GroupBy(reference => reference.Repository))
        {
            DueReference[] asked = [.. group];
            var answers = await grains.GetGrain<IRepositoryUpkeepGrain>(group.Key.Value).Holds([.. asked.Select(reference => reference.Digest)], cancellationToken);
            for (var i = 0; i < asked.Length; i++)
            {
                (answers[i] ? held : dropped).Add(asked[i]);
            }
        }

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
        await shard.Settle(new ShardSettlement([.. held], [.. dropped], due.Orphans, due.Doomed, due.Remembered, due.Corrections), cancellationToken);
        counts.ReferencesAsked += due.References.Length;
        counts.ReferencesDropped += dropped.Count;
        counts.BlobsCollected += due.Orphans.Length;
        counts.BytesCollected += due.Orphans.Sum(orphan => orphan.Size);
        counts.ObjectsDeleted += due.Doomed.Length;
        return true;
    }

    /// <summary>
    /// What is due, each subject once, with all its entries that were there before anybody looks at it: commands that died may have left several. Entries that come up later are for the next look:
    /// where clocks differ, one that was put off may be due again at once.
    /// </summary>
    private static async IAsyncEnumerable<ScheduledItem[]> DueAsync(IScheduleGrain schedule, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var seen = new HashSet<string>(StringComparer.Ordinal);
        while (true)
        {
            var due = (await schedule.Due(StepSize, cancellationToken)).GroupBy(entry => entry.Subject).Where(group => seen.Add(group.Key)).ToList();
            if (due.Count == 0)
            {
                yield break;
            }

            foreach (var entries in due)
            {
                yield return [.. entries];
            }
        }
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
                    counts.ObjectsDeleted++;
                }

                await session.Forget(cancellationToken);
                counts.UploadsExpired++;
                break;

            case ExpireSealed upload:
                var shard = grains.GetGrain<IBlobShardGrain>(upload.Digest.FirstByte);
                if (await shard.Renounce(upload.Digest, upload.Object, upload.Deadline, cancellationToken) == RenounceAnswer.Renounced)
                {
                    await store.DeleteAsync(upload.Object, upload.Digest, cancellationToken);
                    counts.ObjectsDeleted++;
                }

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

        foreach (var entry in entries)
        {
            await schedule.Remove(entry, cancellationToken);
        }
    }

    private async Task<DateTimeOffset?> CollectRepositoryAsync(string name, TimeSpan? grace, DryRun? dryRun, CollectionCounts counts, CancellationToken cancellationToken)
    {
        var upkeep = grains.GetGrain<IRepositoryUpkeepGrain>(name);
        string? after = null;
        while (true)
        {
            var from = after;
            var answer = await StepAsync(() => upkeep.Collect(new CollectLinks(StepSize, grace, from, dryRun is not null), cancellationToken), cancellationToken);
            dryRun?.Unlink(answer.Unlinked);
            counts.BlobsUnlinked += answer.Unlinked.Length;
            counts.ManifestsRemoved += answer.Manifests;
            if (!answer.More)
            {
                return answer.Next;
            }

            after = answer.After;
        }
    }

    private Task<T> StepAsync<T>(Func<Task<T>> step, CancellationToken cancellationToken) => rest is null ? step() : rest.DoAsync(step, cancellationToken);

    private async Task CorrectAsync(IBlobShardGrain shard, Correction correction, CancellationToken cancellationToken)
    {
        RepositoryName? after = null;
        while (correction.Content is { } content
            && await shard.FindRepositories(correction.Digest, after, StepSize, cancellationToken) is { Length: > 0 } repositories)
        {
            foreach (var repository in repositories)
            {
                await grains.GetGrain<IRepositoryUpkeepGrain>(repository.Value).Correct(correction.Digest, content, correction.IsDamaged, cancellationToken);
            }

            after = repositories[^1];
        }
    }
}
