using Granary.Storage;
using Granary.Storage.Partitions;
using Microsoft.Extensions.Logging;

namespace Granary.Grains.Partitions;

/// <summary>A grain that owns one partition: opens it on activation, and deactivates when it has lost it.</summary>
internal abstract partial class PartitionGrain(IPartitionStore store, ILogger logger) : Grain
{
    private Partition? _partition;

    /// <summary>The partition; there once the grain is active.</summary>
    protected Partition Rows => _partition!;

    /// <summary>The name of the partition, made of the grain's key.</summary>
    protected abstract PartitionKey PartitionKey { get; }

    /// <inheritdoc/>
    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _partition = new Partition(store, PartitionKey, OnLost);
        await _partition.OpenAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken) =>
        _partition?.StopAsync().WaitAsync(cancellationToken) ?? Task.CompletedTask;

    /// <summary>Removes the partition with its head, and makes place for an activation that knows nothing of it.</summary>
    protected async Task Drop(CancellationToken cancellationToken)
    {
        await Rows.DropAsync(cancellationToken);
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

    [LoggerMessage(1001, LogLevel.Information, "Another activation commits to {Partition}; this one gives way")]
    private static partial void LogStale(ILogger logger, string partition);

    [LoggerMessage(1003, LogLevel.Error, "A commit to {Partition} failed, and its callers were told to try again: {Reason}")]
    private static partial void LogStorageFailed(ILogger logger, string partition, string reason);

    [LoggerMessage(1002, LogLevel.Error, "A commit to {Partition} failed; its callers were told to try again, and the partition will be read again")]
    private static partial void LogCommitFailed(ILogger logger, Exception exception, string partition);
}
