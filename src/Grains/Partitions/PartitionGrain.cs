using Granary.Storage;
using Granary.Storage.Partitions;
using Microsoft.Extensions.Logging;

namespace Granary.Grains.Partitions;

/// <summary>A grain that owns one partition. It opens the partition on activation, and deactivates when it has lost it.</summary>
internal abstract partial class PartitionGrain(IPartitionStore store, TimeProvider time, ILogger logger) : Grain
{
    private Partition? _partition;

    /// <summary>The rows that the grain owns. Only an active grain may use them.</summary>
    protected Partition Partition => _partition!;

    /// <summary>The clock.</summary>
    protected TimeProvider Time { get; } = time;

    /// <summary>The key of the partition, derived from the grain's key.</summary>
    protected abstract PartitionKey PartitionKey { get; }

    /// <inheritdoc/>
    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _partition = new Partition(store, PartitionKey, OnLost, Time);
        await _partition.OpenAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) =>
        _partition?.StopAsync().WaitAsync(cancellationToken) ?? Task.CompletedTask;

    /// <summary>Removes the partition with its head, and deactivates, so that the next activation begins with no rows.</summary>
    protected async Task Drop(CancellationToken cancellationToken)
    {
        await Partition.DropAsync(cancellationToken);
        DeactivateOnIdle();
    }

    private void OnLost(Exception reason)
    {
        if (reason is HeadMovedException)
        {
            LogStale(logger, PartitionKey.Value);
        }
        else if (reason is StorageException)
        {
            LogStorageFailed(logger, PartitionKey.Value, reason.Message);
        }
        else
        {
            LogCommitFailed(logger, reason, PartitionKey.Value);
        }

        DeactivateOnIdle();
    }

    [LoggerMessage(1001, LogLevel.Information, "Another activation commits to {Partition}, so this one ends. Nothing is lost")]
    private static partial void LogStale(ILogger logger, string partition);

    [LoggerMessage(
        1003,
        LogLevel.Error,
        "A commit to {Partition} failed. Its callers get an error and may retry. Mend the storage: {Reason}")]
    private static partial void LogStorageFailed(ILogger logger, string partition, string reason);

    [LoggerMessage(
        1002,
        LogLevel.Error,
        "A commit to {Partition} failed. Its callers get an error and may retry; the next activation reads the partition again")]
    private static partial void LogCommitFailed(ILogger logger, Exception exception, string partition);
}
