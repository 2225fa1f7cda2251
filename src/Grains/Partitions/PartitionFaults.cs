using Granary.Grains.Interfaces;
using Granary.Storage;
using Granary.Storage.Partitions;

namespace Granary.Grains.Partitions;

/// <summary>Translates faults of the store into what the callers of a grain see.</summary>
internal static class PartitionFaults
{
    /// <summary>Returns the exception for a decision that waits too long. It was not made.</summary>
    public static PartitionUnavailableException Overloaded(PartitionKey partition) =>
        new(PartitionFault.Overloaded, $"'{partition}' has more changes to commit than the storage takes; try again later.");

    /// <summary>Returns the exception for the callers of the grain that owns <paramref name="partition"/>.</summary>
    public static PartitionUnavailableException Translate(Exception reason, PartitionKey partition) => reason switch
    {
        PartitionUnavailableException known => known,
        HeadMovedException => new(PartitionFault.Unavailable, $"Another activation serves '{partition}' now; try again."),
        StorageException { Fault: StorageFault.Full } => new(PartitionFault.Full, reason.Message),
        StorageException { Fault: StorageFault.ReadOnly } => new(PartitionFault.ReadOnly, reason.Message),
        StorageException { Fault: StorageFault.Damaged } => new(PartitionFault.Damaged, reason.Message),
        _ => new(PartitionFault.Unavailable, reason.Message),
    };
}
