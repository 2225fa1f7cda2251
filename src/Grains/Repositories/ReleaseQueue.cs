using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Catalog;
using Granary.Grains.Partitions;
using Granary.Protocol;
using Microsoft.Extensions.Logging;

namespace Granary.Grains.Repositories;

/// <summary>Rule 6: works off a repository's <c>out/</c> rows, whatever made them. What fails stays for the next time.</summary>
internal sealed partial class ReleaseQueue(Partition rows, RepositoryName name, IGrainFactory grains, ILogger logger)
{
    // At once: their shards' commits merge. All of one step are removed in one commit.
    private const int StepSize = 16;

    private Task _work = Task.CompletedTask;
    private bool _isAsked;

    /// <summary>Sees to what is there; done when it is gone, or has failed.</summary>
    public Task DrainAsync()
    {
        // Whoever is at work may have looked before the row was made.
        _isAsked = true;
        return _work.IsCompleted ? _work = WorkAsync() : _work;
    }

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
        var keys = new List<string>();
        await foreach (var row in rows.ScanAsync(RepositoryRows.OutPrefix, after: null, CancellationToken.None))
        {
            keys.Add(row.Key);
            if (keys.Count == StepSize)
            {
                break;
            }
        }

        if (keys.Count == 0)
        {
            return false;
        }

        await Task.WhenAll(keys.Select(ReleaseAsync));
        return await rows.DecideAsync(
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
    }

    private Task ReleaseAsync(string key)
    {
        var (version, what) = RepositoryRows.ParseOut(key);
        if (what == RepositoryRows.CatalogEntry)
        {
            return grains.GetGrain<ICatalogGrain>(0).Remove(name, version, CancellationToken.None);
        }

        var digest = Digest.Parse(what);
        return grains.GetGrain<IBlobShardGrain>(digest.FirstByte).Release(digest, name, version, CancellationToken.None);
    }

    [LoggerMessage(1101, LogLevel.Warning, "References of {Repository} were not released yet; they will be later")]
    private static partial void LogReleaseFailed(ILogger logger, Exception exception, RepositoryName repository);
}
