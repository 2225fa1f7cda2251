using Granary.Grains.Blobs;
using Granary.Grains.Interfaces.Catalog;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Interfaces.Uploads;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories;
using Granary.Grains.Schedules;
using Granary.Grains.Uploads;
using Granary.Protocol;
using Granary.Storage.Partitions;

namespace Granary.Grains.GarbageCollection;

/// <summary>
/// A dry run: counts what a collection with the same options would do now, step by step as <see cref="GarbageCollector"/> does it. It reads committed rows and wakes no repository or shard.
/// What one step would take is remembered for the next one, so that the blobs of a manifest that would go are counted; its memory is bounded.
/// </summary>
internal sealed class CollectionForecast(
    IPartitionStore store,
    IGrainFactory grains,
    LifetimeOptions lifetimes,
    CollectionOptions options,
    TimeProvider time,
    TimeSpan? grace,
    DateTimeOffset? pushedBefore)
{
    /// <summary>How many digests are remembered by default: some 60 MB. A collection that takes more is counted too low, and said to take "at least" that.</summary>
    public const int DefaultRoom = 250_000;

    // By shard: how many repositories would let go of each blob. Not kept where blobs have a grace, since none of them goes then.
    private readonly Dictionary<Digest, int>[] _released = [.. Enumerable.Range(0, GarbageCollector.ShardCount).Select(_ => new Dictionary<Digest, int>())];
    private readonly HashSet<string> _seen = new(StringComparer.Ordinal);
    private readonly DateTimeOffset _now = time.GetUtcNow();
    private int _remembered;

    /// <summary>What a collection would do.</summary>
    public CollectionCounts Counts { get; } = new();

    /// <summary>Whether it would do that and no more.</summary>
    public bool IsExact { get; private set; } = true;

    /// <summary>How many digests it may remember.</summary>
    public int Room { get; init; } = DefaultRoom;

    private bool BlobsGoAtOnce => (grace ?? lifetimes.BlobGrace) <= TimeSpan.Zero;

    private bool ObjectsGoAtOnce => lifetimes.ObjectHold <= TimeSpan.Zero;

    /// <summary>Counts uploads whose time has come, and duplicates that Renounce would give up.</summary>
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

    /// <summary>Counts what would go of all repositories in the catalog: of those that are in no schedule only untagged manifests can.</summary>
    public async Task CountCatalogAsync(Func<Task> report, CancellationToken cancellationToken)
    {
        await foreach (var repository in grains.GetGrain<ICatalogGrain>(0).AllAsync(cancellationToken))
        {
            await CountRepositoryAsync(repository, cancellationToken);
            await report();
        }
    }

    /// <summary>Counts what would go of the repositories of schedules.</summary>
    public async Task CountRepositoriesAsync(IEnumerable<string> schedules, Func<Task> report, CancellationToken cancellationToken)
    {
        foreach (var schedule in schedules)
        {
            // With a grace of its own a collection looks at all of them, due or not.
            await foreach (var name in ScheduledAsync(schedule, grace is null ? _now : DateTimeOffset.MaxValue, cancellationToken))
            {
                await CountRepositoryAsync(RepositoryName.Parse(name), cancellationToken);
                await report();
            }
        }
    }

    /// <summary>Counts blobs that have no reference left after all that, and objects that are due. Called after all repositories were counted.</summary>
    public async Task CountShardAsync(int number, CancellationToken cancellationToken)
    {
        var rows = await OpenAsync(BlobRows.Partition((byte)number), cancellationToken);
        var released = _released[number];
        var orphansUntil = grace is { } asked ? _now + lifetimes.BlobGrace - asked : _now;
        await foreach (var row in rows.ScanAsync(BlobRows.DuePrefix, after: null, cancellationToken))
        {
            var due = BlobRows.ParseDue(row.Key);
            if (due.Time > _now && due.Time > orphansUntil)
            {
                break;
            }

            await CountDueAsync(rows, due, orphansUntil, released, cancellationToken);
        }

        foreach (var (digest, count) in released)
        {
            if (await FindBlobAsync(rows, digest, cancellationToken) is { References: > 0 } blob && blob.References <= count)
            {
                CountBlob(blob);
            }
        }
    }

    private async Task CountDueAsync(Partition rows, DueEntry due, DateTimeOffset orphansUntil, Dictionary<Digest, int> released, CancellationToken cancellationToken)
    {
        switch (due.Kind)
        {
            case "ref" when due.Time <= _now && BlobsGoAtOnce:
                var slash = due.Subject.IndexOf('/', StringComparison.Ordinal);
                var (held, repository) = (Digest.Parse(due.Subject[..slash]), RepositoryName.Parse(due.Subject[(slash + 1)..]));
                if (!await IsLinkedAsync(repository, held, cancellationToken))
                {
                    Release(released, held);
                }

                break;

            case "orphan" when due.Time <= orphansUntil:
                if (await FindBlobAsync(rows, Digest.Parse(due.Subject), cancellationToken) is { } orphan && orphan.OrphanDue == due.Time)
                {
                    CountBlob(orphan);
                }

                break;

            case "doom" when due.Time <= _now:
                var id = ObjectId.Parse(due.Subject);
                if (await rows.ReadAsync([BlobRows.Doom(id)], view => DoomRow.Find(view, id), cancellationToken) is { IsDeleted: false })
                {
                    Counts.ObjectsDeleted++;
                }

                break;
        }
    }

    private void CountBlob(BlobRow blob)
    {
        Counts.BlobsCollected++;
        Counts.BytesCollected += blob.Size;
        Counts.ObjectsDeleted += blob.Object is not null && ObjectsGoAtOnce ? 1 : 0;
    }

    private async Task CountUploadAsync(string id, CancellationToken cancellationToken)
    {
        var rows = await OpenAsync(UploadRows.Partition(id), cancellationToken);
        var session = await rows.ReadAsync([UploadRows.Session], SessionRow.Find, cancellationToken);

        // Whether a request is at work on a session only its grain knows. One that has sent for longer than the expiry is rarer than one whose server died.
        switch (UploadRules.FindExpired(session, isClaimed: _ => false, _now, lifetimes.UploadExpiry))
        {
            case ExpireOpen upload:
                Counts.UploadsExpired++;
                Counts.ObjectsDeleted += upload.Object is null ? 0 : 1;
                break;

            case ExpireSealed upload:
                var shard = await OpenAsync(BlobRows.Partition(upload.Digest.FirstByte), cancellationToken);
                var isAdopted = await shard.ReadAsync(
                    [BlobRows.Blob(upload.Digest), BlobRows.Doom(upload.Object)],
                    view => BlobRules.IsAdopted(view, upload.Digest, upload.Object),
                    cancellationToken);
                Counts.ObjectsDeleted += isAdopted ? 0 : 1;
                break;
        }
    }

    private async Task CountRepositoryAsync(RepositoryName name, CancellationToken cancellationToken)
    {
        if (!_seen.Add(name.Value))
        {
            return;
        }

        var rows = await OpenAsync(RepositoryRows.Partition(name), cancellationToken);
        var forecast = new RepositoryForecast(rows, lifetimes, options.Referrers, TakeRoom);
        if (pushedBefore is { } before)
        {
            await forecast.RemoveUntaggedAsync(before, cancellationToken);
        }

        var unlinked = 0L;
        await foreach (var blob in forecast.CollectAsync(_now, grace, cancellationToken))
        {
            unlinked++;
            Release(_released[blob.Digest.FirstByte], blob.Digest);
        }

        await CountPendingReleasesAsync(rows, name, cancellationToken);
        Counts.ManifestsRemoved += forecast.Manifests;
        Counts.BlobsUnlinked += unlinked;
        IsExact &= forecast.IsExact;

        // What the forecast of one repository remembers is not needed for the next.
        _remembered -= forecast.Remembered;
    }

    /// <summary>References that an earlier collection or deletion has not released yet: the next one does.</summary>
    private async Task CountPendingReleasesAsync(Partition rows, RepositoryName name, CancellationToken cancellationToken)
    {
        if (!BlobsGoAtOnce)
        {
            return;
        }

        await foreach (var row in rows.ScanAsync(RepositoryRows.OutPrefix, after: null, cancellationToken))
        {
            var (version, what) = RepositoryRows.ParseOut(row.Key);
            if (what == RepositoryRows.CatalogEntry)
            {
                continue;
            }

            var digest = Digest.Parse(what);
            var shard = await OpenAsync(BlobRows.Partition(digest.FirstByte), cancellationToken);
            var reference = await shard.ReadAsync([BlobRows.Reference(digest, name)], view => ReferenceRow.Find(view, digest, name), cancellationToken);

            // One whose lease has ended is counted where leases are.
            if (reference is not null && reference.Sequence <= version && reference.LeaseUntil > _now)
            {
                Release(_released[digest.FirstByte], digest);
            }
        }
    }

    private async Task<bool> IsLinkedAsync(RepositoryName repository, Digest digest, CancellationToken cancellationToken)
    {
        var values = await store.GetAsync(RepositoryRows.Partition(repository), [RepositoryRows.Link(digest)], cancellationToken);
        return values[0] is not null;
    }

    private static async ValueTask<BlobRow?> FindBlobAsync(Partition rows, Digest digest, CancellationToken cancellationToken)
    {
        try
        {
            return await rows.ReadAsync([BlobRows.Blob(digest)], view => BlobRow.Find(view, digest), cancellationToken);
        }
        catch (FormatException)
        {
            // A collection leaves a blob alone whose row it cannot read.
            return null;
        }
    }

    private async IAsyncEnumerable<string> ScheduledAsync(
        string schedule,
        DateTimeOffset until,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
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

    private void Release(Dictionary<Digest, int> released, Digest digest)
    {
        if (!BlobsGoAtOnce)
        {
            return;
        }

        if (released.ContainsKey(digest) || TakeRoom())
        {
            released[digest] = released.GetValueOrDefault(digest) + 1;
        }
        else
        {
            IsExact = false;
        }
    }

    private bool TakeRoom()
    {
        if (_remembered >= Room)
        {
            return false;
        }

        _remembered++;
        return true;
    }

    /// <summary>Rows to read from. Not the grain's own: nothing is ever committed through it.</summary>
    private async ValueTask<Partition> OpenAsync(PartitionKey key, CancellationToken cancellationToken)
    {
        var rows = new Partition(store, key, _ => { });
        await rows.OpenAsync(cancellationToken);
        return rows;
    }
}
