using Granary.Storage.Partitions;

namespace Granary.Grains.Partitions;

/// <summary>
/// The rows that are loaded for one read or one batch, beside the cache. It notes the keys and prefixes that a rule asked for in vain.
/// </summary>
internal sealed class LoadedRows(RowCache cache)
{
    private readonly Dictionary<string, ReadOnlyMemory<byte>?> _rows = new(StringComparer.Ordinal);
    private readonly List<string> _missing = [];
    private readonly List<string> _missingPrefixes = [];
    private Dictionary<string, IReadOnlyList<Row>>? _prefixes;

    /// <summary>The head under which the last load read its rows; null if the store did not say, or not for all of them.</summary>
    public Head? Head { get; private set; }

    /// <summary>Whether rows were asked for that are not in memory.</summary>
    public bool HasMissed => _missing.Count + _missingPrefixes.Count > 0;

    public ReadOnlyMemory<byte>? Get(string key)
    {
        if (_rows.TryGetValue(key, out var value) || cache.TryGet(key, out value))
        {
            return value;
        }

        _missing.Add(key);
        return null;
    }

    public IReadOnlyList<Row> Scan(string prefix)
    {
        if (_prefixes is not null && _prefixes.TryGetValue(prefix, out var rows))
        {
            return rows;
        }

        _missingPrefixes.Add(prefix);
        return [];
    }

    /// <summary>Asks for keys, and for prefixes with the slash at their end, so that the next load brings them.</summary>
    public void Request(IReadOnlyList<string> needs)
    {
        for (var i = 0; i < needs.Count; i++)
        {
            if (needs[i].EndsWith('/'))
            {
                _ = Scan(needs[i]);
            }
            else
            {
                _ = Get(needs[i]);
            }
        }
    }

    /// <summary>
    /// Runs a rule over a view of these rows. Returns false if it asked for rows that are not in memory, whatever it answered or threw.
    /// </summary>
    public bool TryRun<TView, T>(Func<TView, T> rule, TView view, out T answer)
    {
        _missing.Clear();
        _missingPrefixes.Clear();
        try
        {
            answer = rule(view);
            return !HasMissed;
        }
        catch (Exception) when (HasMissed)
        {
            answer = default!;
            return false;
        }
    }

    /// <summary>Drops all rows: they are of a version before the last commit.</summary>
    public void Clear()
    {
        _rows.Clear();
        _prefixes?.Clear();
        _missing.Clear();
        _missingPrefixes.Clear();
    }

    /// <summary>Loads the rows that were asked for in vain.</summary>
    /// <param name="store">The store.</param>
    /// <param name="partition">The partition.</param>
    /// <param name="isForCommit">Whether a commit over the head follows, which proves that the rows are of one version.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    public async ValueTask LoadMissingAsync(
        IPartitionStore store,
        PartitionKey partition,
        bool isForCommit,
        CancellationToken cancellationToken)
    {
        Head = null;
        if (_missing.Count > 0)
        {
            var keys = _missing.ToArray();
            _missing.Clear();
            var values = isForCommit
                ? await store.GetForCommitAsync(partition, keys, cancellationToken)
                : await store.GetAsync(partition, keys, cancellationToken);
            Head = _missingPrefixes.Count == 0 ? values.Head : null;
            for (var i = 0; i < keys.Length; i++)
            {
                _rows[keys[i]] = values[i];
            }
        }

        foreach (var prefix in _missingPrefixes)
        {
            var rows = new List<Row>();
            await foreach (var page in store.PagesAsync(partition, prefix, after: null, cancellationToken))
            {
                rows.AddRange(page);
            }

            (_prefixes ??= new(StringComparer.Ordinal))[prefix] = rows;
        }

        _missingPrefixes.Clear();
    }

    /// <summary>Moves the single rows to the cache. Those of prefixes would push out others.</summary>
    public void MoveToCache()
    {
        foreach (var (key, value) in _rows)
        {
            cache.Set(key, value);
        }
    }
}
