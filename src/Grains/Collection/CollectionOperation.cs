using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Catalog;
using Granary.Grains.Interfaces.Collection;
using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Operations;

namespace Granary.Grains.Collection;

/// <summary>A collection that somebody asked for: everything that is garbage by now, with a grace of its own if so wished, or only the tale of it.</summary>
public sealed class CollectionOperation(GarbageCollector collector, IGrainFactory grains, TimeProvider time) : IOperation
{
    // What is worked on at once, and what a worker that takes over begins with again: what of it is done costs little then.
    private const int SchedulesOfAStep = 4;
    private const int ShardsOfAStep = 16;

    /// <inheritdoc/>
    public OperationKind Kind => OperationKind.Collection;

    /// <inheritdoc/>
    public async Task RunAsync(OperationRun run, CancellationToken cancellationToken)
    {
        var counts = new CollectionCounts();
        var dryRun = run.Request.DryRun ? new DryRun() : null;
        var steps = Steps(run, counts, dryRun, cancellationToken).ToList();
        run.Total = steps.Count;

        // What a dry run has seen is in memory only: who takes it over begins again.
        var before = run.Progress.Counts;
        foreach (var step in steps.Skip(dryRun is null ? (int)run.Done : 0))
        {
            try
            {
                await step();
            }
            catch (FormatException e)
            {
                // A damaged row does not keep the rest from being collected.
                run.Find($"A row cannot be read, and what depends on it was left alone: {e.Message} Run 'granary scrub'.");
            }

            Publish(run, counts, dryRun is null ? before : new Dictionary<string, long>());
            await run.StepAsync();
        }
    }

    private IEnumerable<Func<Task>> Steps(OperationRun run, CollectionCounts counts, DryRun? dryRun, CancellationToken cancellationToken)
    {
        // :: Step 1: uploads that broke off.
        if (dryRun is null)
        {
            yield return () => collector.CollectUploadsAsync([.. Schedules.Uploads], counts, cancellationToken);
        }

        // :: Step 2: manifests that no tag leads to; their blobs are unused from then on.
        if (run.Request.UntaggedAge is { } age)
        {
            yield return () => CollectUntaggedAsync(run, time.GetUtcNow() - age, counts, cancellationToken);
        }

        // :: Step 3: blobs that no manifest of their repository uses.
        foreach (var schedules in Schedules.Repositories.Chunk(SchedulesOfAStep))
        {
            yield return () => dryRun is null && run.Request.Grace is null
                ? collector.CollectRepositoriesAsync(schedules, counts, cancellationToken)
                : collector.CollectAllRepositoriesAsync(schedules, run.Request.Grace, dryRun, counts, cancellationToken);
        }

        if (dryRun is null)
        {
            yield return () => collector.CollectCatalogAsync(cancellationToken);
        }

        // :: Step 4: blobs that no repository refers to, with their objects.
        foreach (var shards in Enumerable.Range(0, GarbageCollector.Shards).Chunk(ShardsOfAStep))
        {
            yield return () => dryRun is null
                ? collector.CollectShardsAsync(shards, run.Request.Grace, counts, cancellationToken)
                : EstimateAsync(shards, dryRun, counts, cancellationToken);
        }
    }

    private async Task CollectUntaggedAsync(OperationRun run, DateTimeOffset pushedBefore, CollectionCounts counts, CancellationToken cancellationToken)
    {
        await foreach (var repository in grains.GetGrain<ICatalogGrain>(0).AllAsync(cancellationToken))
        {
            await collector.CollectUntaggedAsync(repository, pushedBefore, run.Request.DryRun, counts, cancellationToken);
            await run.ReportAsync();
        }
    }

    /// <summary>Counts the blobs of shards that have no reference, or would lose their last one.</summary>
    private async Task EstimateAsync(int[] shards, DryRun dryRun, CollectionCounts counts, CancellationToken cancellationToken)
    {
        foreach (var number in shards)
        {
            await foreach (var page in grains.GetGrain<IBlobShardGrain>(number).PagesAsync(cancellationToken))
            {
                foreach (var blob in page.Blobs.Where(blob => blob.References <= dryRun.Blobs.GetValueOrDefault(blob.Digest).Repositories))
                {
                    counts.BlobsCollected++;
                    counts.BytesCollected += blob.Size;
                }
            }
        }
    }

    private static void Publish(OperationRun run, CollectionCounts counts, IReadOnlyDictionary<string, long> before)
    {
        Publish("manifests", counts.ManifestsRemoved);
        Publish("unlinked", counts.BlobsUnlinked);
        Publish("blobs", counts.BlobsCollected);
        Publish("bytes", counts.BytesCollected);
        Publish("objects", counts.ObjectsDeleted);
        Publish("uploads", counts.UploadsExpired);

        void Publish(string name, long value) => run.Count(name, before.GetValueOrDefault(name) + value);
    }
}
