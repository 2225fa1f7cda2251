using Granary.Grains.Interfaces.Catalog;
using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Operations;
using Granary.Storage.Partitions;
using Microsoft.Extensions.Options;

namespace Granary.Grains.GarbageCollection;

/// <summary>A collection that an administrator asked for: everything that is garbage by now, with a grace of its own if so wished, or only a count of it.</summary>
public sealed class CollectionOperation(
    GarbageCollector collector,
    IPartitionStore store,
    IGrainFactory grains,
    IOptions<LifetimeOptions> lifetimes,
    IOptions<CollectionOptions> options,
    TimeProvider time) : IOperation
{
    // What is worked on at once, and what a worker that takes over begins with again: what of it is done costs little then.
    private const int SchedulesOfAStep = 4;
    private const int ShardsOfAStep = 16;

    /// <inheritdoc/>
    public OperationKind Kind => OperationKind.Collection;

    /// <inheritdoc/>
    public async Task RunAsync(OperationRun run, CancellationToken cancellationToken)
    {
        if (run.Request.DryRun)
        {
            await ForecastAsync(run, cancellationToken);
            return;
        }

        var counts = new CollectionCounts();
        var before = run.Progress.Counts;
        await DoAsync(run, [.. Steps(run, counts, cancellationToken)], () => Publish(run, counts, before), (int)run.Done);
    }

    private async Task ForecastAsync(OperationRun run, CancellationToken cancellationToken)
    {
        // What a dry run has seen is in memory only: a worker that takes it over begins again.
        run.Restart();
        var pushedBefore = run.Request.UntaggedAge is { } age ? time.GetUtcNow() - age : default(DateTimeOffset?);
        var forecast = new CollectionForecast(store, grains, lifetimes.Value, options.Value, time, run.Request.Grace, pushedBefore);
        await DoAsync(run, [.. Steps(run, forecast, cancellationToken)], PublishForecast, done: 0);

        void PublishForecast()
        {
            Publish(run, forecast.Counts, new Dictionary<string, long>());
            if (!forecast.IsExact)
            {
                run.Count(OperationResults.AtLeast, 1);
            }
        }
    }

    private static async Task DoAsync(OperationRun run, List<Func<Task>> steps, Action publish, int done)
    {
        run.Total = steps.Count;
        foreach (var step in steps.Skip(done))
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

            publish();
            await run.StepAsync();
        }
    }

    private IEnumerable<Func<Task>> Steps(OperationRun run, CollectionCounts counts, CancellationToken cancellationToken)
    {
        // :: Step 1: uploads that broke off.
        yield return () => collector.CollectUploadsAsync([.. ScheduleKeys.Uploads], counts, cancellationToken);

        // :: Step 2: manifests that no tag leads to; their blobs are unused from then on.
        if (run.Request.UntaggedAge is { } age)
        {
            yield return () => CollectUntaggedAsync(run, time.GetUtcNow() - age, counts, cancellationToken);
        }

        // :: Step 3: blobs that no manifest of their repository uses.
        foreach (var schedules in ScheduleKeys.Repositories.Chunk(SchedulesOfAStep))
        {
            yield return () => run.Request.Grace is null
                ? collector.CollectRepositoriesAsync(schedules, counts, cancellationToken)
                : collector.CollectAllRepositoriesAsync(schedules, run.Request.Grace, counts, cancellationToken);
        }

        yield return () => collector.CollectCatalogAsync(cancellationToken);

        // :: Step 4: blobs that no repository refers to, with their objects.
        foreach (var shards in Enumerable.Range(0, GarbageCollector.ShardCount).Chunk(ShardsOfAStep))
        {
            yield return () => collector.CollectShardsAsync(shards, run.Request.Grace, counts, cancellationToken);
        }
    }

    /// <summary>The same steps, counted and not done.</summary>
    private static IEnumerable<Func<Task>> Steps(OperationRun run, CollectionForecast forecast, CancellationToken cancellationToken)
    {
        yield return () => forecast.CountUploadsAsync(cancellationToken);
        if (run.Request.UntaggedAge is not null)
        {
            yield return () => forecast.CountCatalogAsync(run.ReportAsync, cancellationToken);
        }

        foreach (var schedules in ScheduleKeys.Repositories.Chunk(SchedulesOfAStep))
        {
            yield return () => forecast.CountRepositoriesAsync(schedules, run.ReportAsync, cancellationToken);
        }

        foreach (var shards in Enumerable.Range(0, GarbageCollector.ShardCount).Chunk(ShardsOfAStep))
        {
            yield return async () =>
            {
                foreach (var shard in shards)
                {
                    await forecast.CountShardAsync(shard, cancellationToken);
                }
            };
        }
    }

    private async Task CollectUntaggedAsync(OperationRun run, DateTimeOffset pushedBefore, CollectionCounts counts, CancellationToken cancellationToken)
    {
        await foreach (var repository in grains.GetGrain<ICatalogGrain>(0).AllAsync(cancellationToken))
        {
            await collector.CollectUntaggedAsync(repository, pushedBefore, counts, cancellationToken);
            await run.ReportAsync();
        }
    }

    private static void Publish(OperationRun run, CollectionCounts counts, IReadOnlyDictionary<string, long> before)
    {
        foreach (var (name, value) in counts.ByName)
        {
            run.Count(name, before.GetValueOrDefault(name) + value);
        }
    }
}
