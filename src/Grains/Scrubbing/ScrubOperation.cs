using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces.Catalog;
using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Operations;
using Granary.Storage.Blobs;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Scrubbing;

/// <summary>
/// The scrub: checks while the registry serves that every blob has the bytes of its digest, that every manifest has its own bytes, that
/// every link has its reference, and that every object has an owner. It quarantines damaged blobs, so that the next push replaces them. It
/// restores lost references, and deletes orphaned objects that no upload can use any more.
/// </summary>
public sealed class ScrubOperation(
    GarbageCollector collector,
    IGrainFactory grains,
    IBlobStore store,
    IOptions<ScrubOptions> options,
    IOptions<LifetimeOptions> lifetimes,
    TimeProvider time) : IOperation
{
    // The clocks of file systems and servers differ, and a session may be about to use its object.
    private static readonly TimeSpan OrphanMargin = TimeSpan.FromDays(1);

    /// <inheritdoc/>
    public OperationKind Kind => OperationKind.Scrub;

    /// <inheritdoc/>
    public async Task RunAsync(OperationRun run, CancellationToken cancellationToken)
    {
        var limit = new ReadRateLimit(run.Request.BytesPerSecond ?? options.Value.MegabytesPerSecond * 1_000_000L, time);
        var objects = new ObjectCheck(store, limit);
        var shards = new ShardScrub(grains, collector, run, objects);
        Func<Task>[] steps = [.. Steps(run, shards, objects, cancellationToken)];
        run.Total = steps.Length;
        foreach (var step in steps.Skip((int)run.Done))
        {
            await step();
            await run.CompleteStepAsync();
        }
    }

    private IEnumerable<Func<Task>> Steps(OperationRun run, ShardScrub shards, ObjectCheck objects, CancellationToken cancellationToken)
    {
        // :: Step 1: damaged rows of blobs, because every later step reads them.
        yield return () => RepairRowsAsync(shards, cancellationToken);

        // :: Step 2: repositories. They restore the rows of blobs that were lost.
        yield return () => CheckRepositoriesAsync(run, cancellationToken);

        // :: Step 3: the bytes of every blob.
        for (var number = 0; number < GarbageCollector.ShardCount; number++)
        {
            var shard = number;
            yield return () => shards.CheckBlobsAsync(shard, cancellationToken);
        }

        // :: Step 4: the objects of the store: bytes that a damaged blob can use, and orphans.
        yield return () => CheckObjectsAsync(run, shards, objects, cancellationToken);
    }

    private static async Task RepairRowsAsync(ShardScrub shards, CancellationToken cancellationToken)
    {
        for (var number = 0; number < GarbageCollector.ShardCount; number++)
        {
            await shards.RepairRowsAsync(number, cancellationToken);
        }
    }

    private async Task CheckRepositoriesAsync(OperationRun run, CancellationToken cancellationToken)
    {
        var repositories = new RepositoryScrub(grains, run);
        await foreach (var name in grains.GetGrain<ICatalogGrain>(0).ListAllAsync(cancellationToken))
        {
            await repositories.CheckAsync(name, cancellationToken);
        }
    }

    private async Task CheckObjectsAsync(OperationRun run, ShardScrub shards, ObjectCheck objects, CancellationToken cancellationToken)
    {
        // Sessions first: the collection of a session that has just expired deletes its object.
        await collector.CollectUploadsAsync([.. ScheduleKeys.Uploads], new CollectionCounts(), cancellationToken);
        var orphanedSince = time.GetUtcNow() - lifetimes.Value.UploadExpiry - OrphanMargin;
        var scrub = new ObjectScrub(grains, store, run, objects, orphanedSince, time);
        await shards.CorrectRepositoriesAsync(await scrub.CheckAsync(cancellationToken), cancellationToken);
    }
}
