using Granary.Grains.Interfaces.Collection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Collection;

/// <summary>Collects garbage, always: looks every few minutes at what is due. One in each silo.</summary>
public sealed partial class Sweeper(
    GarbageCollector collector,
    IOptions<CollectionOptions> options,
    TimeProvider time,
    ILogger<Sweeper> logger) : BackgroundService
{
    /// <summary>Does everything that is due now.</summary>
    /// <returns>How much that was.</returns>
    public async Task<CollectionCounts> SweepAsync(CancellationToken cancellationToken)
    {
        var counts = new CollectionCounts();
        foreach (var schedule in Schedules.Uploads)
        {
            await collector.CollectUploadsAsync(schedule, counts, cancellationToken);
        }

        foreach (var schedule in Schedules.Repositories)
        {
            await collector.CollectRepositoriesAsync(schedule, counts, cancellationToken);
        }

        await collector.CollectCatalogAsync(cancellationToken);
        for (var shard = 0; shard < GarbageCollector.Shards; shard++)
        {
            await collector.CollectShardAsync(shard, grace: null, counts, cancellationToken);
        }

        return counts;
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
                var counts = await SweepAsync(stoppingToken);
                if (counts.IsWorthTelling)
                {
                    LogSwept(logger, counts.BlobsUnlinked, counts.BlobsCollected, counts.BytesCollected, counts.ObjectsDeleted, counts.UploadsExpired, counts.ManifestsRemoved);
                }
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogFailed(logger, e.Message);
            }
        }
    }

    [LoggerMessage(1201, LogLevel.Information, "Collected: {Unlinked} blobs left their repositories, {Blobs} ({Bytes} bytes) the registry; {Objects} objects were deleted, {Uploads} uploads given up, {Manifests} manifests removed")]
    private static partial void LogSwept(ILogger logger, long unlinked, long blobs, long bytes, long objects, long uploads, long manifests);

    [LoggerMessage(1202, LogLevel.Warning, "The collection of garbage did not get to its end and goes on next time: {Reason}")]
    private static partial void LogFailed(ILogger logger, string reason);
}
