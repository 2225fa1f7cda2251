using System.Collections.Concurrent;

namespace Granary.Storage.Partitions.Sqlite;

/// <summary>
/// Caches the numbers of partitions that were written recently, so that a read of a row need not look the number up first. Only the writer
/// changes it, after each commit. A number is never used again: one that is cached belongs to its partition, or to a partition that was
/// just dropped and has no rows.
/// </summary>
internal sealed class PartitionIds
{
    // About 300 bytes each. A partition that is not cached costs one look-up.
    private const int MaxCount = 8192;

    private readonly ConcurrentDictionary<PartitionKey, long> _ids = new();
    private int _count;

    /// <summary>Returns the number; null if it has to be looked up.</summary>
    public long? Find(PartitionKey partition) => _ids.TryGetValue(partition, out var id) ? id : null;

    /// <summary>Adds a committed partition. Only the writer calls this.</summary>
    public void Set(PartitionKey partition, long id)
    {
        if (_ids.TryGetValue(partition, out var known) && known == id)
        {
            return;
        }

        if (++_count > MaxCount)
        {
            _ids.Clear();
            _count = 1;
        }

        _ids[partition] = id;
    }

    /// <summary>Removes a dropped partition, before the drop is acknowledged. Only the writer calls this.</summary>
    public void Remove(PartitionKey partition) => _ids.TryRemove(partition, out _);
}
