namespace Granary.Storage.Partitions;

/// <summary>The version of a partition. Each commit moves it by one.</summary>
/// <param name="Version">0 if the partition does not exist.</param>
public readonly record struct Head(long Version)
{
    /// <summary>The head of a partition that does not exist.</summary>
    public static Head None => default;

    /// <summary>The head after one more commit.</summary>
    public Head Next => new(Version + 1);
}
