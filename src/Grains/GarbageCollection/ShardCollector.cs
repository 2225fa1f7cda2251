using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;
using Granary.Storage.Blobs;

namespace Granary.Grains.GarbageCollection;

/// <summary>Processes what is due in shards: leases that have ended, orphans, doomed objects, corrections.</summary>
internal sealed class ShardCollector(IGrainFactory grains, IBlobStore store)
{
    /// <summary>
    /// Returns the steps of a shard. Each can be repeated: <see cref="IBlobShardGrain.Settle"/> ignores what has changed meanwhile.
    /// </summary>
    public CollectionStep Begin(int number, TimeSpan? grace, CollectionCounts counts, CancellationToken cancellationToken)
    {
        var shard = grains.GetGrain<IBlobShardGrain>(number);
        return async maxRows =>
        {
            var due = await shard.Due(maxRows, grace, cancellationToken);
            return due.Count > 0 && await ProcessAsync(shard, due, counts, cancellationToken);
        };
    }

    private async Task<bool> ProcessAsync(IBlobShardGrain shard, ShardDue due, CollectionCounts counts, CancellationToken cancellationToken)
    {
        // :: Step 1: ask the repositories about the references whose leases have ended.
        var (held, dropped) = await AskRepositoriesAsync(due.References, cancellationToken);

        // :: Step 2: delete the doomed objects whose deletion delay is over.
        foreach (var (id, digest) in due.Doomed)
        {
            await store.DeleteAsync(id, digest, cancellationToken);
        }

        // :: Step 3: tell the repositories which content of a blob counts now.
        foreach (var correction in due.Corrections)
        {
            await CorrectAsync(shard, correction, cancellationToken);
        }

        // :: Step 4: commit all of it in the shard at once.
        await shard.Settle(
            new ShardSettlement(held, dropped, due.Orphans, due.Doomed, due.Tombstones, due.Corrections),
            cancellationToken);
        Count(counts, due, dropped.Length);

        // This step may have made other rows due at once: a blob that lost its last reference, the object of a blob that was collected.
        return due.More || dropped.Length > 0 || due.Orphans.Length > 0;
    }

    private async Task<(DueReference[] Held, DueReference[] Dropped)> AskRepositoriesAsync(
        DueReference[] references,
        CancellationToken cancellationToken)
    {
        var answers = await Task.WhenAll(references
            .GroupBy(reference => reference.Repository)
            .Select(group => AskRepositoryAsync(group.Key, [.. group], cancellationToken)));
        var byAnswer = answers.SelectMany(answer => answer).ToLookup(answer => answer.IsHeld, answer => answer.Reference);
        return ([.. byAnswer[true]], [.. byAnswer[false]]);
    }

    private async Task<IEnumerable<(DueReference Reference, bool IsHeld)>> AskRepositoryAsync(
        RepositoryName name,
        DueReference[] references,
        CancellationToken cancellationToken)
    {
        var repository = grains.GetGrain<IRepositoryMaintenanceGrain>(name.Value);
        return references.Zip(await repository.Holds([.. references.Select(reference => reference.Digest)], cancellationToken));
    }

    private async Task CorrectAsync(IBlobShardGrain shard, Correction correction, CancellationToken cancellationToken)
    {
        RepositoryName? after = null;
        while (correction.Content is { } content
            && await shard.FindRepositories(correction.Digest, after, GarbageCollector.StepSize, cancellationToken)
                is { Length: > 0 } names)
        {
            foreach (var name in names)
            {
                var repository = grains.GetGrain<IRepositoryMaintenanceGrain>(name.Value);
                await repository.Correct(correction.Digest, content, correction.IsDamaged, cancellationToken);
            }

            after = names[^1];
        }
    }

    private static void Count(CollectionCounts counts, ShardDue due, int dropped) => counts.Add(new CollectionCounts
    {
        ReferencesAsked = due.References.Length,
        ReferencesDropped = dropped,
        BlobsCollected = due.Orphans.Length,
        BytesCollected = due.Orphans.Sum(orphan => orphan.Size),
        ObjectsDeleted = due.Doomed.Length,
    });
}
