using Granary.Grains.Interfaces.Catalog;
using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Operations;
using Granary.Storage.Partitions;
using Microsoft.Extensions.Options;

namespace Granary.Grains.GarbageCollection;

/// <summary>
/// A collection that an administrator starts. It removes what is garbage now, with its own grace period if the request has one. A dry run
/// only counts.
/// </summary>
public sealed class CollectionOperation(
    GarbageCollector collector,
    IPartitionStore store,
    IGrainFactory grains,
    IOptions<LifetimeOptions> lifetimes,
    IOptions<CollectionOptions> options,
    TimeProvider time) : IOperation
{
    // The schedules and shards of one step, which a worker that takes over begins again. What is done already costs little the second time.
    private const int SchedulesOfStep = 4;
    private const int ShardsOfStep = 16;

    private static IEnumerable<string[]> RepositorySchedules => ScheduleKeys.Repositories.Chunk(SchedulesOfStep);

    private static IEnumerable<int[]> Shards => Enumerable.Range(0, GarbageCollector.ShardCount).Chunk(ShardsOfStep);

    /// <inheritdoc/>
    public OperationKind Kind => OperationKind.Collection;

    /// <inheritdoc/>
    public Task RunAsync(OperationRun run, CancellationToken cancellationToken) =>
        run.Request.DryRun ? ForecastAsync(run, cancellationToken) : CollectAsync(run, cancellationToken);

    private async Task CollectAsync(OperationRun run, CancellationToken cancellationToken)
    {
        var counts = new CollectionCounts();
        var before = run.Progress.Counts;
        var steps = Steps(run, counts, cancellationToken).ToList();
        await RunStepsAsync(run, steps, () => Publish(run, counts, before), (int)run.Done);
    }

    private async Task ForecastAsync(OperationRun run, CancellationToken cancellationToken)
    {
        // A dry run keeps what it has counted in memory only, so a worker that takes it over begins again.
        run.Restart();
        var pushedBefore = run.Request.UntaggedAge is { } age ? time.GetUtcNow() - age : default(DateTimeOffset?);
        var forecast = new CollectionForecast(store, grains, lifetimes.Value, options.Value, time, run.Request.Grace, pushedBefore);
        await RunStepsAsync(run, [.. Steps(run, forecast, cancellationToken)], PublishForecast, done: 0);

        void PublishForecast()
        {
            Publish(run, forecast.Counts, new Dictionary<string, long>());
            if (!forecast.IsExact)
            {
                run.Count(OperationResults.AtLeast, 1);
            }
        }
    }

    private static async Task RunStepsAsync(OperationRun run, List<Func<Task>> steps, Action publish, int done)
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
                // A damaged row does not keep the others from being collected.
                run.AddFinding($"A row is damaged, and the collection left alone what depends on it: {e.Message} Run 'granary scrub'.");
            }

            publish();
            await run.CompleteStepAsync();
        }
    }

    private IEnumerable<Func<Task>> Steps(OperationRun run, CollectionCounts counts, CancellationToken cancellationToken)
    {
        // :: Step 1: abandoned uploads.
        yield return () => collector.CollectUploadsAsync([.. ScheduleKeys.Uploads], counts, cancellationToken);

        // :: Step 2: untagged manifests. Their blobs are unused from then on.
        if (run.Request.UntaggedAge is { } age)
        {
            yield return () => CollectUntaggedAsync(run, time.GetUtcNow() - age, counts, cancellationToken);
        }

        // :: Step 3: unused blobs.
        foreach (var schedules in RepositorySchedules)
        {
            yield return () => CollectRepositoriesAsync(schedules, run.Request.Grace, counts, cancellationToken);
        }

        yield return () => collector.CollectCatalogAsync(cancellationToken);

        // :: Step 4: orphaned blobs, with their objects.
        foreach (var shards in Shards)
        {
            yield return () => collector.CollectShardsAsync(shards, run.Request.Grace, counts, cancellationToken);
        }
    }

    /// <summary>Returns the steps that count what the same steps of a collection would remove.</summary>
    private static IEnumerable<Func<Task>> Steps(OperationRun run, CollectionForecast forecast, CancellationToken cancellationToken)
    {
        yield return () => forecast.CountUploadsAsync(cancellationToken);
        if (run.Request.UntaggedAge is not null)
        {
            yield return () => forecast.CountCatalogAsync(run.ReportAsync, cancellationToken);
        }

        foreach (var schedules in RepositorySchedules)
        {
            yield return () => forecast.CountRepositoriesAsync(schedules, run.ReportAsync, cancellationToken);
        }

        foreach (var shards in Shards)
        {
            yield return () => forecast.CountShardsAsync(shards, cancellationToken);
        }
    }

    private async Task CollectUntaggedAsync(
        OperationRun run,
        DateTimeOffset pushedBefore,
        CollectionCounts counts,
        CancellationToken cancellationToken)
    {
        await foreach (var repository in grains.GetGrain<ICatalogGrain>(0).ListAllAsync(cancellationToken))
        {
            await collector.CollectUntaggedAsync(repository, pushedBefore, counts, cancellationToken);
            await run.ReportAsync();
        }
    }

    private Task CollectRepositoriesAsync(
        string[] schedules,
        TimeSpan? grace,
        CollectionCounts counts,
        CancellationToken cancellationToken) =>
        grace is null
            ? collector.CollectRepositoriesAsync(schedules, counts, cancellationToken)
            : collector.CollectAllRepositoriesAsync(schedules, grace, counts, cancellationToken);

    private static void Publish(OperationRun run, CollectionCounts counts, IReadOnlyDictionary<string, long> before)
    {
        foreach (var (name, value) in counts.ByName)
        {
            run.Count(name, before.GetValueOrDefault(name) + value);
        }
    }
}
