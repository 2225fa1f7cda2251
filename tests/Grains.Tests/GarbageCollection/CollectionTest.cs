using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Tests.Cluster;
using Granary.Storage.Blobs.FileSystem;
using Granary.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Tests.GarbageCollection;

/// <summary>A silo whose objects are real files, and what collects them.</summary>
public abstract class CollectionTest : GrainTest, IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    protected CollectionTest() => Blobs = FileSystemBlobStore.Open(_directory.Path);

    protected static LifetimeOptions Lifetimes { get; } = new();

    protected FileSystemBlobStore Blobs { get; }

    private protected GarbageCollector Collector => new(Cluster.Grains, Blobs, Time);

    public void Dispose()
    {
        _directory.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected Sweeper Sweeper(GrainCluster? cluster = null)
    {
        var grains = (cluster ?? Cluster).Grains;
        return new Sweeper(new GarbageCollector(grains, Blobs, Time), grains, Options.Create(Collection), Time, NullLogger<Sweeper>.Instance);
    }

    /// <summary>What a collection would do now.</summary>
    private protected async Task<CollectionForecast> ForecastAsync(TimeSpan? grace, DateTimeOffset? pushedBefore = null, int room = CollectionForecast.DefaultRoom)
    {
        var forecast = new CollectionForecast(Store, Cluster.Grains, Lifetimes, Collection, Time, grace, pushedBefore) { Room = room };
        await forecast.CountUploadsAsync(default);
        if (pushedBefore is not null)
        {
            await forecast.CountCatalogAsync(() => Task.CompletedTask, default);
        }

        await forecast.CountRepositoriesAsync(ScheduleKeys.Repositories, () => Task.CompletedTask, default);
        for (var shard = 0; shard < GarbageCollector.ShardCount; shard++)
        {
            await forecast.CountShardAsync(shard, default);
        }

        return forecast;
    }

    private protected async Task<CollectionCounts> SweepAfterAsync(TimeSpan later)
    {
        Time.Advance(later);
        return await Sweeper().SweepAsync(default);
    }
}
