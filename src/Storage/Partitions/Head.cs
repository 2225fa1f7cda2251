namespace Granary.Storage.Partitions;

/// <summary>The version of a partition. Each commit moves it by one.</summary>
/// <param name="Version">0 if the partition does not exist.</param>
/// <param name="Token">
/// What the store needs to know again the commit that made the version, such as an ETag; null from a store that needs nothing. Two heads
/// of one version with different tokens come from different commits.
/// </param>
public readonly record struct Head(long Version, string? Token = null)
{
    /// <summary>The head of a partition that does not exist.</summary>
    public static Head None => default;

    /// <summary>The version after one more commit.</summary>
    public long NextVersion => Version + 1;
}
