namespace Granary.Grains.Partitions;

/// <summary>
/// Rows of one partition that were read or written lately, absent ones included: the partition has one writer, so what is here is true. Bounded in bytes by
/// two generations: the old one is forgotten when the young one is half full.
/// </summary>
internal sealed class RowCache(int maxBytes)
{
    // A dictionary's entry, the string's header and the boxed value: what a row costs beside its characters and bytes.
    private const int Overhead = 120;

    private Dictionary<string, ReadOnlyMemory<byte>?> _young = new(StringComparer.Ordinal);
    private Dictionary<string, ReadOnlyMemory<byte>?> _old = new(StringComparer.Ordinal);
    private int _youngBytes;

    /// <summary>Whether the row is known; <paramref name="value"/> is null for one that is known to be absent.</summary>
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

    /// <summary>Remembers a row, or with null that there is none.</summary>
    public void Set(string key, ReadOnlyMemory<byte>? value)
    {
        _old.Remove(key);
        var cost = Cost(key, value);
        if (_young.TryGetValue(key, out var before))
        {
            _youngBytes -= Cost(key, before);
            _young.Remove(key);
        }

        // A row that would push out most others is cheaper to read again.
        if (cost > maxBytes / 8)
        {
            return;
        }

        _young[key] = value;
        _youngBytes += cost;
        if (_youngBytes > maxBytes / 2)
        {
            (_old, _young) = (_young, _old);
            _young.Clear();
            _youngBytes = 0;
        }
    }

    private static int Cost(string key, ReadOnlyMemory<byte>? value) => Overhead + (2 * key.Length) + (value?.Length ?? 0);
}
