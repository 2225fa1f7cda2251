using System.Runtime.ExceptionServices;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Catalog;
using Granary.Grains.Partitions;
using Granary.Protocol;
using Microsoft.Extensions.Logging;

namespace Granary.Grains.Repositories;

/// <summary>
/// Releases the references that a repository's <c>out/</c> rows name, and removes the rows afterwards (<c>seq</c>). A release that fails
/// keeps its row, and a later run repeats it.
/// </summary>
internal sealed partial class ReleaseQueue(
    Partition partition,
    RepositoryName name,
    IGrainFactory grains,
    TimeProvider time,
    ILogger logger)
{
    // A client that deletes one blob mostly deletes many, so their releases share calls and commits. The delay has no visible effect: the
    // blob stays for a grace period anyway.
    private static readonly TimeSpan GatherTime = TimeSpan.FromSeconds(1);

    // Rows of one step: one call and one commit for each shard among them, and one commit here that removes them all.
    private const int StepSize = 1024;

    private Task _work = Task.CompletedTask;
    private bool _isRequested;
    private bool _isGathering;
    private bool _isStopped;

    /// <summary>Releases all references that have a row now. Completes when they are released, or a release has failed.</summary>
    public Task DrainAsync()
    {
        // A run that is under way may have read the rows before the newest one was committed, so it has to read them once more.
        _isRequested = true;
        return _work.IsCompleted ? _work = WorkAsync() : _work;
    }

    /// <summary>Releases references after a short delay, together with those that are unlinked meanwhile.</summary>
    public async Task DrainSoonAsync()
    {
        if (_isGathering)
        {
            return;
        }

        _isGathering = true;
        await Task.Delay(GatherTime, time);
        _isGathering = false;
        if (!_isStopped)
        {
            await DrainAsync();
        }
    }

    /// <summary>Begins no more delayed releases: the activation ends. The next activation releases the references that are left.</summary>
    public void Stop() => _isStopped = true;

    private async Task WorkAsync()
    {
        try
        {
            while (_isRequested)
            {
                _isRequested = false;
                while (await StepAsync())
                {
                }
            }
        }
        catch (Exception e)
        {
            LogReleaseFailed(logger, e, name);
        }
    }

    /// <summary>Makes one step. Returns whether more rows may be left.</summary>
    private async Task<bool> StepAsync()
    {
        var pending = await ReadPendingAsync();
        if (pending.Count == 0)
        {
            return false;
        }

        // :: Step 1: one call to each shard among them.
        var shards = pending.GroupBy(one => one.Blob?.FirstByte);
        var released = await Task.WhenAll(shards.Select(shard => TryReleaseAsync(shard.Key, [.. shard])));

        // :: Step 2: one commit removes the rows of the acknowledged releases only.
        await RemoveAsync([.. released.SelectMany(done => done.Keys)]);
        if (Array.Find(released, done => done.Failure is not null).Failure is { } failure)
        {
            ExceptionDispatchInfo.Throw(failure);
        }

        return pending.Count == StepSize;
    }

    private async Task<List<PendingRelease>> ReadPendingAsync()
    {
        var pending = new List<PendingRelease>();
        await foreach (var row in partition.ScanAsync(RepositoryRows.OutPrefix, after: null, CancellationToken.None))
        {
            var (version, what) = RepositoryRows.ParseOut(row.Key);
            pending.Add(new PendingRelease(row.Key, version, what == RepositoryRows.CatalogEntry ? null : Digest.Parse(what)));
            if (pending.Count == StepSize)
            {
                break;
            }
        }

        return pending;
    }

    /// <summary>
    /// Releases references in one shard, or the registration in the catalog. Returns the keys of the rows that may be removed.
    /// </summary>
    private async Task<(IEnumerable<string> Keys, Exception? Failure)> TryReleaseAsync(byte? shard, PendingRelease[] pending)
    {
        try
        {
            await (shard is { } number ? ReleaseAsync(number, pending) : UnregisterAsync(pending));
            return (pending.Select(one => one.Key), null);
        }
        catch (Exception e)
        {
            return ([], e);
        }
    }

    private Task ReleaseAsync(byte shard, PendingRelease[] pending)
    {
        var references = Array.ConvertAll(pending, one => new ReleasedReference(one.Blob!.Value, name, one.Version));
        return grains.GetGrain<IBlobShardGrain>(shard).Release(references, CancellationToken.None);
    }

    private Task UnregisterAsync(PendingRelease[] pending) =>
        Task.WhenAll(pending.Select(one => grains.GetGrain<ICatalogGrain>(0).Remove(name, one.Version, CancellationToken.None)));

    private Task<bool> RemoveAsync(string[] keys) => partition.DecideAsync(
        keys,
        batch =>
        {
            foreach (var key in keys.Where(batch.Has))
            {
                batch.Delete(key);
            }

            return true;
        },
        CancellationToken.None);

    /// <summary>The content of an <c>out/</c> row. Without a blob it is the registration in the catalog.</summary>
    private readonly record struct PendingRelease(string Key, long Version, Digest? Blob);

    [LoggerMessage(
        1101,
        LogLevel.Warning,
        "Repository {Repository} could not release references to removed blobs. It tries again at its next deletion or collection")]
    private static partial void LogReleaseFailed(ILogger logger, Exception exception, RepositoryName repository);
}
