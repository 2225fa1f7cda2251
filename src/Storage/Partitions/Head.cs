namespace Granary.Storage.Partitions;

/// <summary>
/// Where a partition stands: a version that grows by one with every commit. <see cref="None"/> is a partition that was never written.
/// </summary>
/// <param name="Version">0 for a partition that does not exist.</param>
public readonly record struct Head(long Version)
{
    /// <summary>The head of a partition that does not exist.</summary>
    public static Head None => default;

    /// <summary>The head after one more commit.</summary>
    public Head Next => new(Version + 1);
}
