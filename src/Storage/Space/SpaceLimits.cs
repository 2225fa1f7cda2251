namespace Granary.Storage.Space;

/// <summary>What the free space allows the database to use.</summary>
/// <param name="LogPages">After how many pages the database copies its log into its file.</param>
/// <param name="UnusedPages">How many unused pages the database may keep for later rows.</param>
internal readonly record struct SpaceLimits(int LogPages, long UnusedPages);
