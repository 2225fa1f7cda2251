using Granary.Storage.Space;

namespace Granary.Silo.Hosting;

/// <summary>Logs when pushes begin to be refused for want of room and when that ends: once each, however many requests there are.</summary>
internal sealed partial class SpaceLog(ILogger<SpaceLog> logger)
{
    public void Tell(SpaceChange change, SpaceReport report)
    {
        var (free, reserve) = (ByteSize.Describe(report.Free), ByteSize.Describe(report.Reserve));
        switch (change)
        {
            case SpaceChange.PushesRefused:
                LogRefused(logger, free, reserve);
                break;

            case SpaceChange.PushesAccepted:
                LogAccepted(logger, free, reserve);
                break;

            case SpaceChange.BallastReleased:
                LogReleased(logger, free);
                break;

            case SpaceChange.BallastMade:
                LogMade(logger, free);
                break;
        }
    }

    [LoggerMessage(3401, LogLevel.Warning,
        "Pushes are refused (507): {Free} are free, and {Reserve} are kept for deletions (storage.reserve). " +
        "Delete what is not needed and run 'granary gc run --grace 0s', or enlarge the disk")]
    private static partial void LogRefused(ILogger logger, string free, string reserve);

    [LoggerMessage(3402, LogLevel.Information, "Pushes are accepted again: {Free} are free, and {Reserve} are kept for deletions")]
    private static partial void LogAccepted(ILogger logger, string free, string reserve);

    [LoggerMessage(3403, LogLevel.Warning,
        "The disk was full to the last byte. The ballast in the data directory was released, and {Free} are free now for deletions. " +
        "Find out which other program uses up the disk")]
    private static partial void LogReleased(ILogger logger, string free);

    [LoggerMessage(3404, LogLevel.Information, "The ballast in the data directory was made again: {Free} are free")]
    private static partial void LogMade(ILogger logger, string free);
}
