using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Tests.Cluster;
using Granary.Storage.Blobs.FileSystem;
using Granary.Testing;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Tests.GarbageCollection;

/// <summary>A silo whose objects are real files, with a collector and a sweeper.</summary>
public abstract class CollectionTest : GrainTest, IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    protected CollectionTest() => Blobs = FileSystemBlobStore.Open(_directory.Path);

    protected static LifetimeOptions Lifetimes { get; } = new();

    protected FileSystemBlobStore Blobs { get; }

    private protected GarbageCollector Collector => CollectorOf(Cluster);

    public void Dispose()
    {
        _directory.Dispose();
        GC.SuppressFinalize(this);
    }

    private protected Sweeper Sweeper(GrainCluster? cluster = null)
    {
        cluster ??= Cluster;
        return new Sweeper(
            CollectorOf(cluster), cluster.Grains, Options.Create(Collection), Time, NullLogger<Sweeper>.Instance);
    }

    /// <summary>Counts what a collection would remove now.</summary>
    private protected async Task<CollectionForecast> ForecastAsync(
        TimeSpan? grace,
        DateTimeOffset? pushedBefore = null,
        int maxDigests = CollectionForecast.DefaultMaxDigests)
    {
        var forecast = new CollectionForecast(Store, Cluster.Grains, Lifetimes, Collection, Time, grace, pushedBefore, maxDigests);
        await forecast.CountUploadsAsync(default);
        if (pushedBefore is not null)
        {
            await forecast.CountCatalogAsync(() => Task.CompletedTask, default);
        }

        await forecast.CountRepositoriesAsync(ScheduleKeys.Repositories, () => Task.CompletedTask, default);
        await forecast.CountShardsAsync(Enumerable.Range(0, GarbageCollector.ShardCount), default);
        return forecast;
    }

    private protected async Task<CollectionCounts> SweepAfterAsync(TimeSpan later)
    {
        Time.Advance(later);
        return await Sweeper().SweepAsync(default);
    }

    private GarbageCollector CollectorOf(GrainCluster cluster) =>
        new(cluster.Grains, Store, Blobs, Time, new CollectionThrottle(Time), Options.Create(History));
}
