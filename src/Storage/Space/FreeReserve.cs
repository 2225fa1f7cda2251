namespace Granary.Storage.Space;

/// <summary>Computes the reserve of a file system, and the sizes that depend on it.</summary>
public static class FreeReserve
{
    private const long Smallest = 8_000_000;
    private const long Largest = 1_000_000_000;

    // As much as the database's log holds between two checkpoints, so that a checkpoint after the release has room for each new page.
    private const long LargestBallast = 16_000_000;

    // A page of the database and its header in the log.
    private const long LogFrame = 4096 + 24;

    // At 4,000 pages the cost of a checkpoint's sync cannot be measured. Below 16 pages a commit hardly fits.
    private const int MaxLogPages = Partitions.Sqlite.SqliteSchema.LogPages;
    private const int MinLogPages = 16;

    /// <summary>
    /// Returns the reserve for the setting <c>auto</c>: 5 % of the file system, at least 8 MB and at most 1 GB, and never more than a
    /// quarter of the file system.
    /// </summary>
    public static long OfFileSystem(long totalBytes) => Math.Min(Math.Clamp(totalBytes / 20, Smallest, Largest), totalBytes / 4);

    /// <summary>Returns the size of the ballast: a quarter of the reserve, at most 16 MB.</summary>
    public static long Ballast(long reserve) => Math.Min(reserve / 4, LargestBallast);

    /// <summary>
    /// Returns after how many pages the database copies its log into its file. The log fits into a quarter of the reserve. When free space
    /// is short, it fits into a quarter of the ballast, so that deletions go on with the ballast alone.
    /// </summary>
    public static int LogPages(long reserve, bool isShort)
    {
        if (reserve == 0)
        {
            return MaxLogPages;
        }

        var usual = Math.Clamp(reserve / 4 / LogFrame, MinLogPages, MaxLogPages);
        return (int)(isShort ? Math.Clamp(Ballast(reserve) / 4 / LogFrame, MinLogPages, usual) : usual);
    }
}
