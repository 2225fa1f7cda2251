using Granary.Grains.Partitions;
using Granary.Storage.Partitions;

namespace Granary.Grains.GarbageCollection;

/// <summary>Opens partitions for a dry run.</summary>
internal static class ForecastRows
{
    /// <summary>Returns a partition to read committed rows from. It is not the grain's: a dry run never commits to it.</summary>
    public static async ValueTask<Partition> OpenAsync(IPartitionStore store, PartitionKey key, CancellationToken cancellationToken)
    {
        var rows = new Partition(store, key, _ => { });
        await rows.OpenAsync(cancellationToken);
        return rows;
    }
}
