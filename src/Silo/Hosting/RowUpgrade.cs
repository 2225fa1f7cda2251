using Granary.Grains.Interfaces;
using Granary.Grains.Repositories;
using Granary.Grains.Repositories.History;
using Granary.Storage;
using Granary.Storage.Data;

namespace Granary.Silo.Hosting;

/// <summary>Upgrades the rows of a data directory that an older release has written. Grains read only rows of the current format.</summary>
internal static partial class RowUpgrade
{
    /// <summary>Upgrades the rows, if the data directory has old ones.</summary>
    /// <exception cref="DataDirectoryException">A row cannot be upgraded.</exception>
    public static async Task RunAsync(
        DataDirectory data,
        HistoryOptions history,
        ILogger logger,
        CancellationToken cancellationToken)
    {
        if (!data.HasOldRows)
        {
            return;
        }

        LogUpgrading(logger, data.Path);
        try
        {
            var manifests = await RepositoryUpgrade.RunAsync(data.Partitions, cancellationToken);
            var moves = await HistoryUpgrade.RunAsync(data.Partitions, history.Retention, cancellationToken);
            LogUpgraded(logger, manifests, moves);
            data.MarkRowsUpgraded();
        }
        catch (Exception e) when (e is StorageException or PartitionUnavailableException or IOException)
        {
            throw new DataDirectoryException(
                $"The rows in the data directory '{data.Path}' could not all be upgraded. Correct the cause, and start again: the " +
                $"upgrade goes on where it ended. ({e.Message})", e);
        }
    }

    [LoggerMessage(3304, LogLevel.Information, "The rows in {Data} have an older format; the server upgrades them before it serves")]
    private static partial void LogUpgrading(ILogger logger, string data);

    [LoggerMessage(3305, LogLevel.Information, "Upgraded {Manifests} manifests and {Moves} moves of tags")]
    private static partial void LogUpgraded(ILogger logger, long manifests, long moves);
}
