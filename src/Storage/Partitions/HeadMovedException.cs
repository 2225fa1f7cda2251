namespace Granary.Storage.Partitions;

/// <summary>
/// The store refused a batch because the partition's head is not the expected one. The writer is stale. The batch changed nothing.
/// </summary>
public sealed class HeadMovedException(PartitionKey partition, Head expected)
    : Exception($"Partition '{partition}' is no longer at version {expected.Version}.")
{
    /// <summary>The partition.</summary>
    public PartitionKey Partition { get; } = partition;

    /// <summary>The version that the batch expected.</summary>
    public Head Expected { get; } = expected;
}
