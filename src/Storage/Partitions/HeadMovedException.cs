namespace Granary.Storage.Partitions;

/// <summary>A batch was refused because the partition's head was not the expected one: whoever sent it is stale. Nothing was changed.</summary>
public sealed class HeadMovedException(PartitionKey partition, Head expected)
    : Exception($"Partition '{partition}' is no longer at version {expected.Version}.")
{
    /// <summary>The partition.</summary>
    public PartitionKey Partition { get; } = partition;

    /// <summary>The version that the batch expected.</summary>
    public Head Expected { get; } = expected;
}
