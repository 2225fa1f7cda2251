using System.Collections.Concurrent;

namespace Granary.Storage.Partitions.Sqlite;

/// <summary>
/// The numbers of partitions that were written lately, so that reading a row need not look its partition up first. Only the writer changes it, after each commit: numbers are never used again,
/// so one that is remembered here is the partition's, or that of a partition that has just been dropped, of which nothing is found.
/// </summary>
internal sealed class PartitionIds
{
    // About 300 bytes each. Whoever is forgotten costs one look-up, as all did.
    private const int MaxCount = 8192;

    private readonly ConcurrentDictionary<PartitionKey, long> _ids = new();
    private int _count;

    /// <summary>The number; null if it has to be looked up.</summary>
    public long? Find(PartitionKey partition) => _ids.TryGetValue(partition, out var id) ? id : null;

    /// <summary>Remembers a committed partition. Called by the writer only.</summary>
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

    /// <summary>Forgets a partition that was dropped, before anybody is told that it was. Called by the writer only.</summary>
    public void Remove(PartitionKey partition) => _ids.TryRemove(partition, out _);
}
