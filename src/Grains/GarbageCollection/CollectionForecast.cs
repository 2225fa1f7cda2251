using System.Runtime.CompilerServices;
using Granary.Grains.Blobs;
using Granary.Grains.Interfaces.Catalog;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Interfaces.Uploads;
using Granary.Grains.Leases;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories;
using Granary.Grains.Repositories.Maintenance;
using Granary.Grains.Schedules;
using Granary.Grains.Uploads;
using Granary.Protocol;
using Granary.Storage.Partitions;

namespace Granary.Grains.GarbageCollection;

/// <summary>
/// A dry run: counts what a collection with the same options would remove now, stage by stage as <see cref="GarbageCollector"/> removes it.
/// It reads committed rows, and activates no repository and no shard. Each stage remembers what it would remove, so that the next one
/// counts the blobs of a manifest that would go.
/// </summary>
internal sealed class CollectionForecast
{
    /// <summary>How many digests a dry run remembers by default: about 60 MB. Beyond that its counts are too low.</summary>
    public const int DefaultMaxDigests = 250_000;

    private readonly IPartitionStore _store;
    private readonly IGrainFactory _grains;
    private readonly LifetimeOptions _lifetimes;
    private readonly CollectionOptions _options;
    private readonly TimeSpan? _grace;
    private readonly DateTimeOffset? _pushedBefore;
    private readonly DateTimeOffset _now;
    private readonly ReleaseForecast _released;
    private readonly ShardForecast _shards;
    private readonly HashSet<string> _seenRepositories = new(StringComparer.Ordinal);
    private bool _areRepositoriesExact = true;

    /// <param name="store">The store of the rows.</param>
    /// <param name="grains">Finds the catalog.</param>
    /// <param name="lifetimes">The grace periods.</param>
    /// <param name="options">What counts as garbage.</param>
    /// <param name="time">The clock; the forecast is for the time of this call.</param>
    /// <param name="grace">The grace period of the request; null for the settings.</param>
    /// <param name="pushedBefore">Untagged manifests that were pushed before this go; null if none go.</param>
    /// <param name="maxDigests">How many digests the dry run may remember.</param>
    public CollectionForecast(
        IPartitionStore store,
        IGrainFactory grains,
        LifetimeOptions lifetimes,
        CollectionOptions options,
        TimeProvider time,
        TimeSpan? grace,
        DateTimeOffset? pushedBefore,
        int maxDigests = DefaultMaxDigests)
    {
        (_store, _grains, _lifetimes, _options) = (store, grains, lifetimes, options);
        (_grace, _pushedBefore, _now) = (grace, pushedBefore, time.GetUtcNow());
        _released = new ReleaseForecast(isNeeded: (grace ?? lifetimes.BlobGrace) <= TimeSpan.Zero, maxDigests);
        _shards = new ShardForecast(store, lifetimes, _now, grace, _released, Counts);
    }

    /// <summary>What a collection would remove.</summary>
    public CollectionCounts Counts { get; } = new();

    /// <summary>Whether it would remove that and no more.</summary>
    public bool IsExact => _areRepositoriesExact && _released.IsExact;

    /// <summary>Counts upload sessions that are due, with their objects.</summary>
    public async Task CountUploadsAsync(CancellationToken cancellationToken)
    {
        foreach (var schedule in ScheduleKeys.Uploads)
        {
            var seen = new HashSet<string>(StringComparer.Ordinal);
            await foreach (var id in ScheduledAsync(schedule, _now, cancellationToken))
            {
                if (seen.Add(id))
                {
                    await CountUploadAsync(id, cancellationToken);
                }
            }
        }
    }

    /// <summary>Counts what would leave all repositories of the catalog. Those in no schedule can only lose untagged manifests.</summary>
    public async Task CountCatalogAsync(Func<Task> report, CancellationToken cancellationToken)
    {
        await foreach (var repository in _grains.GetGrain<ICatalogGrain>(0).ListAllAsync(cancellationToken))
        {
            await CountRepositoryAsync(repository, cancellationToken);
            await report();
        }
    }

    /// <summary>Counts what would leave the repositories of schedules.</summary>
    public async Task CountRepositoriesAsync(IEnumerable<string> schedules, Func<Task> report, CancellationToken cancellationToken)
    {
        // With its own grace period, a collection processes all repositories, due or not.
        var until = _grace is null ? _now : DateTimeOffset.MaxValue;
        foreach (var schedule in schedules)
        {
            await foreach (var name in ScheduledAsync(schedule, until, cancellationToken))
            {
                await CountRepositoryAsync(RepositoryName.Parse(name), cancellationToken);
                await report();
            }
        }
    }

    /// <summary>Counts blobs without references, and objects that are due. Called after all repositories were counted.</summary>
    public async Task CountShardsAsync(IEnumerable<int> numbers, CancellationToken cancellationToken)
    {
        foreach (var number in numbers)
        {
            await _shards.CountAsync(number, cancellationToken);
        }
    }

    private async Task CountUploadAsync(string id, CancellationToken cancellationToken)
    {
        var rows = await OpenAsync(UploadRows.Partition(id), cancellationToken);
        var session = await rows.ReadAsync([UploadRows.Session], SessionRow.Find, cancellationToken);

        // Only the grain knows whether a request has the claim on the session. A request that has sent for longer than the expiry is rarer
        // than a server that died, so the forecast takes sessions for unclaimed.
        switch (UploadRules.FindExpired(session, isClaimed: _ => false, _now, _lifetimes.UploadExpiry))
        {
            case ExpireOpen upload:
                Counts.UploadsExpired++;
                Counts.ObjectsDeleted += upload.Object is null ? 0 : 1;
                break;

            case ExpireSealed upload:
                Counts.ObjectsDeleted += await IsAdoptedAsync(upload, cancellationToken) ? 0 : 1;
                break;
        }
    }

    private async Task<bool> IsAdoptedAsync(ExpireSealed upload, CancellationToken cancellationToken)
    {
        var shard = await OpenAsync(BlobRows.Partition(upload.Digest.FirstByte), cancellationToken);
        return await shard.ReadAsync(
            [BlobRows.Blob(upload.Digest), BlobRows.Doom(upload.Object)],
            view => RenounceRules.IsAdopted(view, upload.Digest, upload.Object),
            cancellationToken);
    }

    private async Task CountRepositoryAsync(RepositoryName name, CancellationToken cancellationToken)
    {
        if (!_seenRepositories.Add(name.Value))
        {
            return;
        }

        var rows = await OpenAsync(RepositoryRows.Partition(name), cancellationToken);
        var forecast = new RepositoryForecast(rows, _lifetimes, _options.Referrers, _released.TryReserve);
        if (_pushedBefore is { } before)
        {
            await forecast.RemoveUntaggedAsync(before, cancellationToken);
        }

        var unlinked = 0;
        await foreach (var blob in forecast.CollectAsync(_now, _grace, cancellationToken))
        {
            unlinked++;
            _released.Add(blob.Digest);
        }

        await CountPendingReleasesAsync(rows, name, cancellationToken);
        Counts.ManifestsRemoved += forecast.Manifests;
        Counts.BlobsUnlinked += unlinked;
        _areRepositoriesExact &= forecast.IsExact;

        // What the forecast of one repository remembers is not needed for the next one.
        _released.Free(forecast.Remembered);
    }

    // References of an earlier collection or deletion that was not completed: the next collection releases them.
    private async Task CountPendingReleasesAsync(Partition rows, RepositoryName name, CancellationToken cancellationToken)
    {
        if (!_released.IsNeeded)
        {
            return;
        }

        await foreach (var row in rows.ScanAsync(RepositoryRows.OutPrefix, after: null, cancellationToken))
        {
            var (version, subject) = RepositoryRows.ParseOut(row.Key);
            if (subject != RepositoryRows.CatalogEntry)
            {
                await CountPendingReleaseAsync(Digest.Parse(subject), name, version, cancellationToken);
            }
        }
    }

    private async Task CountPendingReleaseAsync(Digest digest, RepositoryName name, long version, CancellationToken cancellationToken)
    {
        var shard = await OpenAsync(BlobRows.Partition(digest.FirstByte), cancellationToken);
        var reference = await shard.ReadAsync(
            [BlobRows.Reference(digest, name)],
            view => LeaseRow.Find(view, new ReferenceLease(digest, name)),
            cancellationToken);

        // The shard's stage counts references whose leases have ended.
        if (reference is not null && reference.Sequence <= version && reference.Until > _now)
        {
            _released.Add(digest);
        }
    }

    private async IAsyncEnumerable<string> ScheduledAsync(
        string schedule,
        DateTimeOffset until,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var rows = await OpenAsync(ScheduleRows.Partition(schedule), cancellationToken);
        await foreach (var row in rows.ScanAsync(ScheduleRows.DuePrefix, after: null, cancellationToken))
        {
            var (due, subject) = ScheduleRows.ParseDue(row.Key);
            if (due > until)
            {
                yield break;
            }

            yield return subject;
        }
    }

    private ValueTask<Partition> OpenAsync(PartitionKey key, CancellationToken cancellationToken) =>
        ForecastRows.OpenAsync(_store, key, cancellationToken);
}
