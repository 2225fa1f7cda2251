using System.Runtime.ExceptionServices;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Catalog;
using Granary.Grains.Partitions;
using Granary.Protocol;
using Microsoft.Extensions.Logging;

namespace Granary.Grains.Repositories;

/// <summary>Rule 6: works off a repository's <c>out/</c> rows, whatever made them. What fails stays for the next time.</summary>
internal sealed partial class ReleaseQueue(Partition rows, RepositoryName name, IGrainFactory grains, TimeProvider time, ILogger logger)
{
    // Who deletes one blob mostly deletes many. That a reference is still there for a moment is seen by nobody: its blob has a grace anyway.
    private static readonly TimeSpan Gathering = TimeSpan.FromSeconds(1);

    // At once: one call and one commit for each shard among them, and one commit that removes them all here.
    private const int StepSize = 1024;

    private Task _work = Task.CompletedTask;
    private bool _isAsked;
    private bool _isGathering;
    private bool _isOver;

    /// <summary>Sees to what is there; done when it is gone, or has failed.</summary>
    public Task DrainAsync()
    {
        // Whoever is at work may have looked before the row was made.
        _isAsked = true;
        return _work.IsCompleted ? _work = WorkAsync() : _work;
    }

    /// <summary>Sees to what is there before long, together with what comes meanwhile.</summary>
    public async Task DrainSoonAsync()
    {
        if (_isGathering)
        {
            return;
        }

        _isGathering = true;
        await Task.Delay(Gathering, time);
        _isGathering = false;
        if (!_isOver)
        {
            await DrainAsync();
        }
    }

    /// <summary>The activation ends: the next one begins with what is left.</summary>
    public void End() => _isOver = true;

    private async Task WorkAsync()
    {
        try
        {
            while (_isAsked)
            {
                _isAsked = false;
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

    private async Task<bool> StepAsync()
    {
        var waiting = new List<Waiting>();
        await foreach (var row in rows.ScanAsync(RepositoryRows.OutPrefix, after: null, CancellationToken.None))
        {
            var (version, what) = RepositoryRows.ParseOut(row.Key);
            waiting.Add(new Waiting(row.Key, version, what == RepositoryRows.CatalogEntry ? null : Digest.Parse(what)));
            if (waiting.Count == StepSize)
            {
                break;
            }
        }

        if (waiting.Count == 0)
        {
            return false;
        }

        // :: Step 1: one call for each shard among them.
        var released = await Task.WhenAll(waiting.GroupBy(one => one.Blob?.FirstByte).Select(group => TryReleaseAsync(group.Key, [.. group])));

        // :: Step 2: the rows of what was acknowledged, and of nothing else, go in one commit.
        string[] acknowledged = [.. released.SelectMany(done => done.Keys)];
        await rows.DecideAsync(
            acknowledged,
            batch =>
            {
                foreach (var key in acknowledged.Where(batch.Has))
                {
                    batch.Delete(key);
                }

                return true;
            },
            CancellationToken.None);
        if (Array.Find(released, done => done.Failure is not null).Failure is { } failure)
        {
            ExceptionDispatchInfo.Throw(failure);
        }

        return waiting.Count == StepSize;
    }

    /// <summary>Releases what one shard knows, or without a shard the catalog. Answers the keys of the rows that may go.</summary>
    private async Task<(IEnumerable<string> Keys, Exception? Failure)> TryReleaseAsync(byte? shard, Waiting[] waiting)
    {
        try
        {
            await (shard is { } number
                ? grains.GetGrain<IBlobShardGrain>(number).Release(Array.ConvertAll(waiting, one => new ReleasedReference(one.Blob!.Value, name, one.Version)), CancellationToken.None)
                : Task.WhenAll(waiting.Select(entry => grains.GetGrain<ICatalogGrain>(0).Remove(name, entry.Version, CancellationToken.None))));
            return (waiting.Select(one => one.Key), null);
        }
        catch (Exception e)
        {
            return ([], e);
        }
    }

    /// <summary>An <c>out/</c> row; without a blob, of the catalog's entry.</summary>
    private readonly record struct Waiting(string Key, long Version, Digest? Blob);

    [LoggerMessage(1101, LogLevel.Warning, "References of {Repository} were not released yet; they will be later")]
    private static partial void LogReleaseFailed(ILogger logger, Exception exception, RepositoryName repository);
}
