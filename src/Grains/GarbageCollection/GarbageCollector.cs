using Granary.Grains.Interfaces.Catalog;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Repositories;
using Granary.Grains.Repositories.Maintenance;
using Granary.Protocol;
using Granary.Storage.Blobs;
using Granary.Storage.Partitions;
using Microsoft.Extensions.Options;

namespace Granary.Grains.GarbageCollection;

/// <summary>
/// The stages of a collection, in the order in which a sweep runs them. Each consists of steps of bounded size that can be repeated
/// (docs/garbage-collection.md), so two collections at once do the same work twice and no harm. A step that fails leaves its rows to the
/// next collection; the others run, and then the stage throws. It is no grain, because no grain may wait for a grain above it.
/// </summary>
public sealed class GarbageCollector(
    IGrainFactory grains,
    IPartitionStore partitions,
    IBlobStore blobs,
    TimeProvider time,
    CollectionThrottle throttle,
    IOptions<HistoryOptions> history)
{
    /// <summary>How many shards there are.</summary>
    public const int ShardCount = 256;

    // For steps whose size the throttle does not choose: the rows of one commit.
    internal const int StepSize = 32;

    private readonly ScheduleWalk _schedules = new(grains, time, throttle);
    private readonly UploadCollector _uploads = new(grains, blobs);
    private readonly RepositoryCollector _repositories = new(grains, new RepositoryProbe(partitions, history.Value, time), throttle);
    private readonly ShardCollector _shards = new(grains, blobs);

    /// <summary>
    /// Ends the upload sessions of schedules that are due. The object of an open session is deleted; about a sealed one the shard decides
    /// (rules <c>seal</c> and <c>ren</c>).
    /// </summary>
    public Task CollectUploadsAsync(IReadOnlyList<string> scheduleKeys, CollectionCounts counts, CancellationToken cancellationToken) =>
        _schedules.ProcessDueAsync(scheduleKeys, id => _uploads.Begin(id, counts, cancellationToken), cancellationToken);

    /// <summary>Removes unused blobs, and referrers of deleted manifests, from the repositories of schedules that are due.</summary>
    public Task CollectRepositoriesAsync(
        IReadOnlyList<string> scheduleKeys,
        CollectionCounts counts,
        CancellationToken cancellationToken) => _schedules.ProcessDueAsync(
            scheduleKeys,
            name => _repositories.Begin(name, grace: null, counts, cancellationToken),
            cancellationToken);

    /// <summary>Does the same in all repositories of schedules, due or not: with another grace period than that of the settings.</summary>
    /// <param name="scheduleKeys">The schedules.</param>
    /// <param name="grace">The grace period; null for the setting.</param>
    /// <param name="counts">Counts what is removed.</param>
    /// <param name="cancellationToken">Ends it between two steps.</param>
    public Task CollectAllRepositoriesAsync(
        IReadOnlyList<string> scheduleKeys,
        TimeSpan? grace,
        CollectionCounts counts,
        CancellationToken cancellationToken) => _schedules.ProcessAllAsync(
            scheduleKeys,
            names => _repositories.AreCollectableAsync(names, cancellationToken),
            name => _repositories.Begin(name, grace, counts, cancellationToken),
            cancellationToken);

    /// <summary>Removes untagged manifests of a repository that were pushed before a time.</summary>
    public Task CollectUntaggedAsync(
        RepositoryName repository,
        DateTimeOffset pushedBefore,
        CollectionCounts counts,
        CancellationToken cancellationToken) =>
        _repositories.CollectUntaggedAsync(repository, pushedBefore, counts, cancellationToken);

    /// <summary>
    /// Asks repositories whether they still exist, where the lease of their catalog entry has ended, and removes or renews the entry.
    /// </summary>
    public async Task CollectCatalogAsync(CancellationToken cancellationToken)
    {
        var catalog = grains.GetGrain<ICatalogGrain>(0);
        while (await catalog.Due(StepSize, cancellationToken) is { Length: > 0 } due)
        {
            var exists = await Task.WhenAll(due.Select(entry => ExistsAsync(entry.Repository, cancellationToken)));
            await catalog.Settle([.. due.Where((_, i) => exists[i])], [.. due.Where((_, i) => !exists[i])], cancellationToken);
        }
    }

    /// <summary>Processes what is due in shards: leases that have ended, orphans, doomed objects, corrections.</summary>
    /// <param name="numbers">The shards.</param>
    /// <param name="grace">The grace period of orphaned blobs; null for the setting.</param>
    /// <param name="counts">Counts what is removed.</param>
    /// <param name="cancellationToken">Ends it between two steps.</param>
    public async Task CollectShardsAsync(
        IEnumerable<int> numbers,
        TimeSpan? grace,
        CollectionCounts counts,
        CancellationToken cancellationToken)
    {
        var failures = new DeferredFailures(cancellationToken);
        var work = numbers.Select(number => _shards.Begin(number, grace, counts, cancellationToken));
        await throttle.RunAllAsync(work, failures, cancellationToken);
        failures.ThrowFirst();
    }

    private Task<bool> ExistsAsync(RepositoryName repository, CancellationToken cancellationToken) =>
        grains.GetGrain<IRepositoryMaintenanceGrain>(repository.Value).Exists(cancellationToken);
}
