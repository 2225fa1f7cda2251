namespace Granary.Grains.Partitions;

/// <summary>
/// The rows of one partition that were read or written lately, absent ones included. They are true: the partition has one writer. Two
/// generations bound their bytes: when the young one holds half of the limit, it becomes the old one, and the old one is dropped.
/// </summary>
internal sealed class RowCache
{
    // The rows of a few hundred images. An idle repository uses none of it.
    private const int MaxBytes = 1024 * 1024;

    // The entry of the dictionary, the header of the string and the array: what a row costs beside its characters and bytes.
    private const int Overhead = 120;

    private Dictionary<string, ReadOnlyMemory<byte>?> _young = new(StringComparer.Ordinal);
    private Dictionary<string, ReadOnlyMemory<byte>?> _old = new(StringComparer.Ordinal);
    private int _youngBytes;

    /// <summary>Returns whether the row is known; <paramref name="value"/> is null for a row that is known to be absent.</summary>
    public bool TryGet(string key, out ReadOnlyMemory<byte>? value)
    {
        if (_young.TryGetValue(key, out value))
        {
            return true;
        }

        if (_old.Remove(key, out value))
        {
            Set(key, value);
            return true;
        }

        return false;
    }

    /// <summary>Keeps a row, or with null that there is no such row.</summary>
    public void Set(string key, ReadOnlyMemory<byte>? value)
    {
        _old.Remove(key);
        var cost = Cost(key, value);
        if (_young.TryGetValue(key, out var before))
        {
            _youngBytes -= Cost(key, before);
            _young.Remove(key);
        }

        // A row of this size would push out most others; reading it again costs less.
        if (cost > MaxBytes / 8)
        {
            return;
        }

        _young[key] = value;
        _youngBytes += cost;
        if (_youngBytes > MaxBytes / 2)
        {
            (_old, _young) = (_young, _old);
            _young.Clear();
            _youngBytes = 0;
        }
    }

    private static int Cost(string key, ReadOnlyMemory<byte>? value) => Overhead + (2 * key.Length) + (value?.Length ?? 0);
}
