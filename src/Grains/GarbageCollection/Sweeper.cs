using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Interfaces.Schedules;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Granary.Grains.GarbageCollection;

/// <summary>Collects garbage, always: looks every few minutes at what is due. One in each silo.</summary>
public sealed partial class Sweeper(
    GarbageCollector collector,
    IGrainFactory grains,
    IOptions<CollectionOptions> options,
    TimeProvider time,
    ILogger<Sweeper> logger) : BackgroundService
{
    /// <summary>Does everything that is due now. What fails does not stop the rest.</summary>
    /// <returns>How much that was.</returns>
    /// <exception cref="AggregateException">Some of it failed, and is due again next time.</exception>
    public async Task<CollectionCounts> SweepAsync(CancellationToken cancellationToken)
    {
        var counts = new CollectionCounts();
        var failures = new List<Exception>();
        await TryAsync(() => collector.CollectUploadsAsync([.. ScheduleKeys.Uploads], counts, cancellationToken));
        await TryAsync(() => collector.CollectRepositoriesAsync([.. ScheduleKeys.Repositories], counts, cancellationToken));
        await TryAsync(() => collector.CollectCatalogAsync(cancellationToken));
        await TryAsync(() => collector.CollectShardsAsync(Enumerable.Range(0, GarbageCollector.ShardCount), grace: null, counts, cancellationToken));

        if (counts.IsWorthTelling)
        {
            LogSwept(logger, OperationResults.Text(OperationKind.Collection, counts.ByName));
        }

        return failures.Count == 0 ? counts : throw new AggregateException(failures);

        async Task TryAsync(Func<Task> step)
        {
            try
            {
                await step();
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                failures.Add(e);
            }
        }
    }

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // Servers that were started together shall not sweep together.
        using var timer = new PeriodicTimer(options.Value.Interval * (0.9 + (Random.Shared.NextDouble() / 5)), time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await SweepAsync(stoppingToken);
                if (options.Value.Untagged)
                {
                    // It walks through all manifests: once a day, by one of all servers.
                    var request = new OperationRequest { Kind = OperationKind.Collection, UntaggedAge = options.Value.UntaggedAge, AtMostEvery = TimeSpan.FromDays(1) };
                    await grains.GetGrain<IOperationsGrain>(0).Start(request, stoppingToken);
                }
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

    [LoggerMessage(1201, LogLevel.Information, "The sweep removed {Results}")]
    private static partial void LogSwept(ILogger logger, string results);

    [LoggerMessage(1203, LogLevel.Warning, "{Count} steps of the collection of garbage failed and are done again next time; the first one: {Reason}")]
    private static partial void LogPartly(ILogger logger, int count, string reason);

    [LoggerMessage(1202, LogLevel.Warning, "The collection of garbage did not get to its end and goes on next time: {Reason}")]
    private static partial void LogFailed(ILogger logger, string reason);
}
