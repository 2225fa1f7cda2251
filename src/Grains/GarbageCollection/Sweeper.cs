using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Interfaces.Schedules;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Granary.Grains.GarbageCollection;

/// <summary>The sweep: processes every few minutes what is due. Each silo has one.</summary>
public sealed partial class Sweeper(
    GarbageCollector collector,
    IGrainFactory grains,
    IOptions<CollectionOptions> options,
    TimeProvider time,
    ILogger<Sweeper> logger) : BackgroundService
{
    /// <summary>Processes everything that is due now. A failed step does not stop the others.</summary>
    /// <returns>What the sweep has removed.</returns>
    /// <exception cref="AggregateException">Some steps failed. They are due again at the next sweep.</exception>
    public async Task<CollectionCounts> SweepAsync(CancellationToken cancellationToken)
    {
        var counts = new CollectionCounts();
        var failures = new DeferredFailures(cancellationToken);
        foreach (var stage in Stages(counts, cancellationToken))
        {
            await failures.TryAsync(stage);
        }

        if (counts.HasRemovals)
        {
            LogSwept(logger, OperationResults.Text(OperationKind.Collection, counts.ByName));
        }

        failures.ThrowAll();
        return counts;
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // The interval varies by a tenth, so that servers that started together do not sweep together.
        using var timer = new PeriodicTimer(options.Value.Interval * (0.9 + (Random.Shared.NextDouble() / 5)), time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await SweepAsync(stoppingToken);
                await CollectUntaggedDailyAsync(stoppingToken);
            }
            catch (AggregateException e) when (!stoppingToken.IsCancellationRequested)
            {
                LogPartly(logger, e.InnerExceptions.Count, e.InnerExceptions[0].Message);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogFailed(logger, e.Message);
            }
        }
    }

    private IEnumerable<Func<Task>> Stages(CollectionCounts counts, CancellationToken cancellationToken) =>
    [
        () => collector.CollectUploadsAsync([.. ScheduleKeys.Uploads], counts, cancellationToken),
        () => collector.CollectRepositoriesAsync([.. ScheduleKeys.Repositories], counts, cancellationToken),
        () => collector.CollectCatalogAsync(cancellationToken),
        () => collector.CollectShardsAsync(Enumerable.Range(0, GarbageCollector.ShardCount), grace: null, counts, cancellationToken),
    ];

    // An operation, because it walks through all manifests: one server of the cluster runs it, once a day.
    private async Task CollectUntaggedDailyAsync(CancellationToken cancellationToken)
    {
        if (!options.Value.Untagged)
        {
            return;
        }

        var request = new OperationRequest
        {
            Kind = OperationKind.Collection,
            UntaggedAge = options.Value.UntaggedAge,
            AtMostEvery = TimeSpan.FromDays(1),
        };
        await grains.GetGrain<IOperationsGrain>(0).Start(request, cancellationToken);
    }

    [LoggerMessage(1201, LogLevel.Information, "The sweep removed {Results}")]
    private static partial void LogSwept(ILogger logger, string results);

    [LoggerMessage(1203, LogLevel.Warning, "{Count} stages of the sweep failed. The next sweep repeats them. The first failure: {Reason}")]
    private static partial void LogPartly(ILogger logger, int count, string reason);

    [LoggerMessage(1202, LogLevel.Warning, "The sweep failed before its end. The next sweep continues: {Reason}")]
    private static partial void LogFailed(ILogger logger, string reason);
}
