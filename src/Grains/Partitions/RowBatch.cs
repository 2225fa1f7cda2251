using Granary.Grains.Interfaces;
using Granary.Storage.Partitions;

namespace Granary.Grains.Partitions;

/// <summary>
/// What a decision sees and writes: the committed rows, what earlier decisions of the same batch did to them, and its own changes, which count only if it runs
/// to its end.
/// </summary>
internal sealed class RowBatch(LoadedRows loaded, long version) : RowView
{
    private readonly Dictionary<string, ReadOnlyMemory<byte>?> _accepted = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ReadOnlyMemory<byte>?> _current = new(StringComparer.Ordinal);
    private readonly HashSet<string> _deleted = new(StringComparer.Ordinal);
    private readonly List<string> _deletedNow = [];
    private readonly HashSet<CommitNumber> _restsOn = [];
    private bool _currentFences;

    /// <summary>The version that the partition will have when this batch is committed.</summary>
    public long Version => version;

    /// <summary>Whether there is anything to commit.</summary>
    public bool IsDue { get; private set; }

    /// <summary>Whether the decision that runs has changed anything.</summary>
    public bool HasChanges => _current.Count > 0;

    /// <summary>The commits without which this one must not become true.</summary>
    public IReadOnlyCollection<CommitNumber> DependsOn => _restsOn;

    /// <summary>The size of what was accepted so far, in bytes.</summary>
    public int Bytes { get; private set; }

    public override ReadOnlyMemory<byte>? Get(string key) =>
        _current.TryGetValue(key, out var value) || _accepted.TryGetValue(key, out value) ? value : loaded.Get(key);

    public override IReadOnlyList<Row> Scan(string prefix)
    {
        var committed = loaded.Scan(prefix);
        if (!Touches(_accepted, prefix) && !Touches(_current, prefix))
        {
            return committed;
        }

        var merged = new SortedDictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal);
        foreach (var row in committed)
        {
            merged[row.Key] = row.Value;
        }

        Overlay(merged, _accepted, prefix);
        Overlay(merged, _current, prefix);
        return [.. merged.Select(row => new Row(row.Key, row.Value))];
    }

    /// <summary>Sets a row.</summary>
    public void Put(string key, ReadOnlyMemory<byte> value) => _current[key] = value;

    /// <summary>Removes a row that is there, which a rule may know from another row.</summary>
    public void Delete(string key)
    {
        // A row that only this batch made is not in the store: a delete of it must not get there either.
        var isOurs = _current.ContainsKey(key) || _accepted.ContainsKey(key);
        if (!isOurs || loaded.Get(key) is not null)
        {
            _deletedNow.Add(key);
        }

        _current[key] = null;
    }

    /// <summary>Commits even if nothing changes: whoever is stale finds out (rule 7, <c>fence</c>).</summary>
    public void Fence() => _currentFences = true;

    /// <summary>The decision ran to its end: its changes count.</summary>
    /// <param name="dependsOn">What others have begun to commit for it, in the same store. Its answer is worth nothing without them, even if it changes nothing itself.</param>
    public void AcceptCurrent(ReadOnlySpan<CommitTicket?> dependsOn)
    {
        foreach (var ticket in dependsOn)
        {
            if (ticket is { Number: var number })
            {
                _restsOn.Add(new CommitNumber(number));
                IsDue = true;
            }
        }

        foreach (var (key, value) in _current)
        {
            Bytes += key.Length + (value?.Length ?? 0);
            _accepted[key] = value;
        }

        foreach (var key in _deletedNow)
        {
            _deleted.Add(key);
        }

        IsDue |= _currentFences || _current.Count > 0;
        DropCurrent();
    }

    /// <summary>
    /// The decision failed: its changes never were. The commit is due all the same, since a stale activation, which mixes what it remembers with what it reads, takes what is whole for damaged.
    /// </summary>
    public void FailCurrent()
    {
        DropCurrent();
        IsDue = true;
    }

    /// <summary>The decision has to be run again: its changes never were.</summary>
    public void DropCurrent()
    {
        _current.Clear();
        _deletedNow.Clear();
        _currentFences = false;
    }

    /// <summary>The batch for the store: each key once, and no delete of a row that only this batch made.</summary>
    public IReadOnlyList<Mutation> ToMutations()
    {
        var mutations = new List<Mutation>(_accepted.Count);
        foreach (var (key, value) in _accepted)
        {
            if (value is not null || _deleted.Contains(key))
            {
                mutations.Add(new Mutation(key, value));
            }
        }

        return mutations;
    }

    /// <summary>
    /// Brings the cache up to what was committed. Rows that no decision asked for before it wrote them, such as lines of history and due times, are not remembered: they are read by scans, if at
    /// all, and would push out what is asked for.
    /// </summary>
    public void Publish(RowCache cache)
    {
        foreach (var (key, value) in _accepted)
        {
            if (cache.TryGet(key, out _))
            {
                cache.Set(key, value);
            }
        }
    }

    private static bool Touches(Dictionary<string, ReadOnlyMemory<byte>?> overlay, string prefix)
    {
        foreach (var key in overlay.Keys)
        {
            if (key.StartsWith(prefix, StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }

    private static void Overlay(SortedDictionary<string, ReadOnlyMemory<byte>> rows, Dictionary<string, ReadOnlyMemory<byte>?> overlay, string prefix)
    {
        foreach (var (key, value) in overlay)
        {
            if (!key.StartsWith(prefix, StringComparison.Ordinal))
            {
                continue;
            }

            if (value is { } bytes)
            {
                rows[key] = bytes;
            }
            else
            {
                rows.Remove(key);
            }
        }
    }
}
