using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Collection;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Interfaces.Uploads;
using Granary.Storage.Blobs;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Collection;

/// <summary>
/// Collects garbage, always: looks every few minutes at what is due, in steps of bounded size that can each be repeated (docs/architecture.md, "Blob references",
/// rules 6 to 8). A service and not a grain, since no grain may wait for a grain above it. Two of them at once do the same work twice, and no harm.
/// </summary>
public sealed partial class Sweeper(
    IGrainFactory grains,
    IBlobStore store,
    IOptions<CollectionOptions> options,
    TimeProvider time,
    ILogger<Sweeper> logger) : BackgroundService
{
    private const int Shards = 256;

    // One commit's worth: some milliseconds, and then pushes have their turn.
    private const int StepSize = 200;

    /// <summary>Does everything that is due now.</summary>
    /// <returns>How much that was.</returns>
    public async Task<SweepReport> SweepAsync(CancellationToken cancellationToken)
    {
        var report = new SweepReport();
        await SweepUploadsAsync(report, cancellationToken);
        await SweepRepositoriesAsync(report, cancellationToken);
        for (var shard = 0; shard < Shards; shard++)
        {
            await SweepShardAsync(shard, report, cancellationToken);
        }

        return report;
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
                var report = await SweepAsync(stoppingToken);
                if (report.IsWorthTelling)
                {
                    LogSwept(logger, report.BlobsUnlinked, report.BlobsCollected, report.ObjectsDeleted, report.UploadsExpired);
                }
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogFailed(logger, e.Message);
            }
        }
    }

    /// <summary>Upload sessions whose time has come: what was never closed is deleted, what was closed is the shard's to decide.</summary>
    private async Task SweepUploadsAsync(SweepReport report, CancellationToken cancellationToken)
    {
        foreach (var key in Schedules.Uploads)
        {
            var schedule = grains.GetGrain<IScheduleGrain>(key);
            while (await schedule.Due(StepSize, cancellationToken) is { Length: > 0 } due)
            {
                foreach (var entry in due)
                {
                    await ExpireAsync(schedule, entry, report, cancellationToken);
                }
            }
        }
    }

    private async Task ExpireAsync(IScheduleGrain schedule, ScheduledItem entry, SweepReport report, CancellationToken cancellationToken)
    {
        var session = grains.GetGrain<IUploadSessionGrain>(entry.Subject);
        switch (await session.Expire(cancellationToken))
        {
            case ExpireLater later:
                await schedule.Schedule(entry.Subject, later.Due, cancellationToken);
                break;

            case ExpireOpen { Object: var stored }:
                if (stored is { } id)
                {
                    await store.DeleteAsync(id, digest: null, cancellationToken);
                    report.ObjectsDeleted++;
                }

                await session.Forget(cancellationToken);
                report.UploadsExpired++;
                break;

            case ExpireSealed upload:
                var shard = grains.GetGrain<IBlobShardGrain>(upload.Digest.FirstByte);
                if (await shard.Renounce(upload.Digest, upload.Object, upload.Deadline, cancellationToken) == RenounceAnswer.Renounced)
                {
                    await store.DeleteAsync(upload.Object, upload.Digest, cancellationToken);
                    report.ObjectsDeleted++;
                }

                await session.Forget(cancellationToken);
                break;
        }

        await schedule.Remove(entry, cancellationToken);
    }

    /// <summary>Repositories that have links which nobody needed for the grace.</summary>
    private async Task SweepRepositoriesAsync(SweepReport report, CancellationToken cancellationToken)
    {
        foreach (var key in Schedules.Repositories)
        {
            var schedule = grains.GetGrain<IScheduleGrain>(key);
            while (await schedule.Due(StepSize, cancellationToken) is { Length: > 0 } due)
            {
                foreach (var entry in due)
                {
                    await CollectAsync(schedule, entry, report, cancellationToken);
                }
            }
        }
    }

    private async Task CollectAsync(IScheduleGrain schedule, ScheduledItem entry, SweepReport report, CancellationToken cancellationToken)
    {
        var repository = grains.GetGrain<IRepositoryGrain>(entry.Subject);
        CollectAnswer answer;
        do
        {
            answer = await repository.Collect(StepSize, cancellationToken);
            report.BlobsUnlinked += answer.Unlinked;
        }
        while (answer.Unlinked == StepSize);

        // The next look is planned before this one is forgotten.
        if (answer.Next is { } next)
        {
            var soonest = time.GetUtcNow() + TimeSpan.FromSeconds(1);
            await schedule.Schedule(entry.Subject, next > soonest ? next : soonest, cancellationToken);
        }

        await schedule.Remove(entry, cancellationToken);
    }

    /// <summary>References that have to be asked about, blobs that nobody refers to, objects that are to be deleted.</summary>
    private async Task SweepShardAsync(int number, SweepReport report, CancellationToken cancellationToken)
    {
        var shard = grains.GetGrain<IBlobShardGrain>(number);
        while (await shard.Due(StepSize, cancellationToken) is { Count: > 0 } due)
        {
            // :: Step 1: what do the repositories say?
            var (held, dropped) = (new List<DueReference>(), new List<DueReference>());
            foreach (var group in due.References.GroupBy(reference => reference.Repository))
            {
                DueReference[] asked = [.. group];
                var answers = await grains.GetGrain<IRepositoryGrain>(group.Key.Value).Holds([.. asked.Select(reference => reference.Digest)], cancellationToken);
                for (var i = 0; i < asked.Length; i++)
                {
                    (answers[i] ? held : dropped).Add(asked[i]);
                }
            }

            // :: Step 2: bytes whose hold is over.
            foreach (var (id, digest) in due.Doomed)
            {
                await store.DeleteAsync(id, digest, cancellationToken);
            }

            // :: Step 3: all of it in one commit of the shard.
            await shard.Settle(new ShardSettlement([.. held], [.. dropped], due.Orphans, due.Doomed, due.Remembered), cancellationToken);
            report.ReferencesAsked += due.References.Length;
            report.ReferencesDropped += dropped.Count;
            report.BlobsCollected += due.Orphans.Length;
            report.ObjectsDeleted += due.Doomed.Length;
        }
    }

    [LoggerMessage(1201, LogLevel.Information, "Collected: {Unlinked} blobs left their repositories, {Blobs} the registry; {Objects} objects were deleted, {Uploads} uploads given up")]
    private static partial void LogSwept(ILogger logger, int unlinked, int blobs, int objects, int uploads);

    [LoggerMessage(1202, LogLevel.Warning, "The collection of garbage did not get to its end and goes on next time: {Reason}")]
    private static partial void LogFailed(ILogger logger, string reason);
}

/// <summary>What a sweep has done.</summary>
public sealed record SweepReport
{
    /// <summary>Links that no manifest had used for the grace.</summary>
    public int BlobsUnlinked { get; internal set; }

    /// <summary>References whose repositories were asked.</summary>
    public int ReferencesAsked { get; internal set; }

    /// <summary>References whose repositories said no.</summary>
    public int ReferencesDropped { get; internal set; }

    /// <summary>Blobs that no repository referred to any more.</summary>
    public int BlobsCollected { get; internal set; }

    /// <summary>Objects that were deleted from the storage.</summary>
    public int ObjectsDeleted { get; internal set; }

    /// <summary>Uploads that were given up.</summary>
    public int UploadsExpired { get; internal set; }

    internal bool IsWorthTelling => BlobsUnlinked + BlobsCollected + ObjectsDeleted + UploadsExpired > 0;
}
