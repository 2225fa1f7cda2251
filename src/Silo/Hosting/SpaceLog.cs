using Granary.Protocol.Units;
using Granary.Storage.Space;

namespace Granary.Silo.Hosting;

/// <summary>Logs when the server begins to refuse pushes for lack of space, and when it accepts them again: one line for each.</summary>
internal sealed partial class SpaceLog(ILogger<SpaceLog> logger)
{
    public void Write(SpaceChange change, SpaceReport report)
    {
        var (free, reserve) = (ByteText.Of(report.Free), ByteText.Of(report.Reserve));
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
        "Delete content that is not needed and run 'granary gc run --grace 0s', or enlarge the disk")]
    private static partial void LogRefused(ILogger logger, string free, string reserve);

    [LoggerMessage(3402, LogLevel.Information, "Pushes are accepted again: {Free} are free, and {Reserve} are kept for deletions")]
    private static partial void LogAccepted(ILogger logger, string free, string reserve);

    [LoggerMessage(3403, LogLevel.Warning,
        "The disk had no free byte. The server deleted the ballast in the data directory, and {Free} are free now for deletions. " +
        "Find out which other program fills the disk")]
    private static partial void LogReleased(ILogger logger, string free);

    [LoggerMessage(3404, LogLevel.Information, "The server wrote the ballast in the data directory again: {Free} are free")]
    private static partial void LogMade(ILogger logger, string free);
}
