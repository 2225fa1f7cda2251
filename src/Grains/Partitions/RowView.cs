using Granary.Storage.Partitions;

namespace Granary.Grains.Partitions;

/// <summary>
/// What a rule sees of a partition's rows. A rule is a synchronous function over this: it may ask for any row, and where one is not in memory yet it is given
/// "absent", whatever it then answers is thrown away, and it is run again once the row is loaded. So a rule reads as if everything were in memory, and must have
/// no effect but on rows.
/// </summary>
internal abstract class RowView
{
    /// <summary>The row's value; null if there is none.</summary>
    public abstract ReadOnlyMemory<byte>? Get(string key);

    /// <summary>All rows whose key begins with <paramref name="prefix"/>, in ordinal order. For prefixes of a bounded number of rows.</summary>
    public abstract IReadOnlyList<Row> Scan(string prefix);

    /// <summary>Whether there is such a row.</summary>
    public bool Has(string key) => Get(key) is not null;
}

/// <summary>Rows in memory beyond the cache: those loaded for one read or for one batch. What was asked for in vain is noted in <see cref="Missing"/>.</summary>
internal sealed class LoadedRows(RowCache cache)
{
    private readonly Dictionary<string, ReadOnlyMemory<byte>?> _rows = new(StringComparer.Ordinal);
    private Dictionary<string, IReadOnlyList<Row>>? _prefixes;

    /// <summary>Keys that a rule asked for and that are not in memory.</summary>
    public List<string> Missing { get; } = [];

    /// <summary>Prefixes that a rule asked for and that are not in memory.</summary>
    public List<string> MissingPrefixes { get; } = [];

    /// <summary>Whether a rule's last run asked for anything in vain.</summary>
    public bool HasMissed => Missing.Count + MissingPrefixes.Count > 0;

    public ReadOnlyMemory<byte>? Get(string key)
    {
        if (_rows.TryGetValue(key, out var value) || cache.TryGet(key, out value))
        {
            return value;
        }

        Missing.Add(key);
        return null;
    }

    public IReadOnlyList<Row> Scan(string prefix)
    {
        if (_prefixes is not null && _prefixes.TryGetValue(prefix, out var rows))
        {
            return rows;
        }

        MissingPrefixes.Add(prefix);
        return [];
    }

    public void Forget()
    {
        _rows.Clear();
        _prefixes?.Clear();
        Missing.Clear();
        MissingPrefixes.Clear();
    }

    /// <summary>Loads what is missing.</summary>
    public async ValueTask LoadMissingAsync(IPartitionStore store, PartitionKey partition, CancellationToken cancellationToken)
    {
        if (Missing.Count > 0)
        {
            var keys = Missing.ToArray();
            Missing.Clear();
            var values = await store.GetAsync(partition, keys, cancellationToken);
            for (var i = 0; i < keys.Length; i++)
            {
                _rows[keys[i]] = values[i];
            }
        }

        foreach (var prefix in MissingPrefixes)
        {
            var rows = new List<Row>();
            await foreach (var page in store.PagesAsync(partition, prefix, after: null, cancellationToken))
            {
                rows.AddRange(page);
            }

            (_prefixes ??= new(StringComparer.Ordinal))[prefix] = rows;
        }

        MissingPrefixes.Clear();
    }

    /// <summary>Gives the single rows to the cache.</summary>
    public void MoveToCache()
    {
        foreach (var (key, value) in _rows)
        {
            cache.Set(key, value);
        }
    }
}

/// <summary>What a read sees that may find everything in memory: most do, and then need nothing else. One serves all reads of a partition, one after the other.</summary>
internal sealed class CachedRows(RowCache cache) : RowView
{
    /// <summary>Whether a rule asked for a row that is not in memory: what it answered does not count.</summary>
    public bool HasMissed { get; private set; }

    public override ReadOnlyMemory<byte>? Get(string key)
    {
        if (cache.TryGet(key, out var value))
        {
            return value;
        }

        HasMissed = true;
        return null;
    }

    public override IReadOnlyList<Row> Scan(string prefix)
    {
        HasMissed = true;
        return [];
    }

    public void Reset() => HasMissed = false;
}

/// <summary>What a read sees: committed rows.</summary>
internal sealed class CommittedRows(LoadedRows loaded) : RowView
{
    public override ReadOnlyMemory<byte>? Get(string key) => loaded.Get(key);

    public override IReadOnlyList<Row> Scan(string prefix) => loaded.Scan(prefix);
}
