using Granary.Grains.Interfaces;
using Granary.Storage.Partitions;

namespace Granary.Grains.Partitions;

/// <summary>
/// The rows that a decision reads and writes: the committed rows, the changes of earlier decisions in the same batch, and its own changes.
/// Its own changes count only if it returns.
/// </summary>
internal sealed class RowBatch(LoadedRows loaded, long version, BatchLimit limit) : RowView
{
    private readonly Dictionary<string, ReadOnlyMemory<byte>?> _accepted = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ReadOnlyMemory<byte>?> _current = new(StringComparer.Ordinal);
    private readonly HashSet<string> _deleted = new(StringComparer.Ordinal);
    private readonly List<string> _currentDeleted = [];
    private readonly HashSet<CommitNumber> _dependsOn = [];
    private bool _isCurrentFence;
    private int _numbers;
    private int _currentNumbers;
    private int _bytes;
    private int _currentBytes;

    /// <summary>The version that the partition will have when this batch is committed.</summary>
    public long Version => version;

    /// <summary>Whether the loop has to commit the batch.</summary>
    public bool IsDue { get; private set; }

    /// <summary>Whether the running decision has put or deleted rows.</summary>
    public bool HasChanges => _current.Count > 0;

    /// <summary>The commits that this commit depends on.</summary>
    public IReadOnlyCollection<CommitNumber> DependsOn => _dependsOn;

    /// <summary>Whether the batch takes no more changes.</summary>
    public bool IsFull => _bytes >= limit.Bytes || _accepted.Count >= limit.Rows;

    /// <summary>
    /// Whether the store commits the changes of the running decision at once together with those before it. A decision alone always fits.
    /// </summary>
    public bool FitsCurrent =>
        _accepted.Count == 0 || (_accepted.Count + _current.Count <= limit.Rows && _bytes + _currentBytes <= limit.Bytes);

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

    /// <summary>Puts a row.</summary>
    public void Put(string key, ReadOnlyMemory<byte> value)
    {
        _current[key] = value;
        _currentBytes += key.Length + value.Length;
    }

    /// <summary>Deletes a row. The row must exist; a rule may know that from another row.</summary>
    public void Delete(string key)
    {
        // The store may refuse a commit that deletes an absent row, so a row that only this batch has put must not be deleted there.
        var isInBatch = _current.ContainsKey(key) || _accepted.ContainsKey(key);
        if (!isInBatch || loaded.Get(key) is not null)
        {
            _currentDeleted.Add(key);
        }

        _current[key] = null;
        _currentBytes += key.Length;
    }

    /// <summary>
    /// Returns a number for a row that the running decision puts: 0 for the first of the batch, then 1, and so on. With the version it
    /// makes a key that no other decision has. A decision that runs again gets the same numbers.
    /// </summary>
    public int NextNumber() => _numbers + _currentNumbers++;

    /// <summary>Commits the batch even if no row changes (<c>fence</c>): the commit of a stale activation fails.</summary>
    public void Fence() => _isCurrentFence = true;

    /// <summary>Accepts the changes of the decision that has returned.</summary>
    /// <param name="dependsOn">
    /// The commits that the decision depends on. They make the batch due even if the decision changes no row: its answer is false if they
    /// fail.
    /// </param>
    public void AcceptCurrent(ReadOnlySpan<CommitTicket?> dependsOn)
    {
        foreach (var ticket in dependsOn)
        {
            if (ticket is { Number: var number })
            {
                _dependsOn.Add(new CommitNumber(number));
                IsDue = true;
            }
        }

        foreach (var (key, value) in _current)
        {
            _accepted[key] = value;
        }

        foreach (var key in _currentDeleted)
        {
            _deleted.Add(key);
        }

        _numbers += _currentNumbers;
        _bytes += _currentBytes;
        IsDue |= _isCurrentFence || _current.Count > 0;
        DropCurrent();
    }

    /// <summary>
    /// Drops the changes of the decision that has thrown. The batch is due all the same: a stale activation mixes cached rows with rows
    /// that another has written and can take them for damaged, and its commit shows that it is stale.
    /// </summary>
    public void FailCurrent()
    {
        DropCurrent();
        IsDue = true;
    }

    /// <summary>Drops the changes of the current decision, which runs again.</summary>
    public void DropCurrent()
    {
        _current.Clear();
        _currentDeleted.Clear();
        _currentNumbers = 0;
        _currentBytes = 0;
        _isCurrentFence = false;
    }

    /// <summary>Returns the changes for the store: each key once, and no delete of a row that only this batch has put.</summary>
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
    /// Updates the cached rows that the commit has changed. Rows that no rule has asked for, such as history and due times, do not enter
    /// the cache: only scans read them, and they would evict rows that pulls ask for.
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

    private static void Overlay(
        SortedDictionary<string, ReadOnlyMemory<byte>> rows,
        Dictionary<string, ReadOnlyMemory<byte>?> overlay,
        string prefix)
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
