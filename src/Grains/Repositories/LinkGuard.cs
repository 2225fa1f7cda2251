using Granary.Grains.Partitions;

namespace Granary.Grains.Repositories;

/// <summary>
/// Rule 4, <c>guard</c>: a link (or a first entry in the catalog or a schedule) is committed only if nothing since the call to Acquire unlinked it or denied it. What was
/// denied matters only to calls that are on their way, or that begin before the denial is committed: those get the same sequence. Older denials are
/// forgotten; activations that are stale are stopped by the compare-and-swap.
/// </summary>
internal sealed class LinkGuard
{
    private readonly Dictionary<string, long> _denied = new(StringComparer.Ordinal);
    private long _newest;
    private int _underWay;

    /// <summary>A command begins that will call Acquire. Dispose the answer when it is over.</summary>
    public IDisposable Enter()
    {
        _underWay++;
        return new Flight(this);
    }

    /// <summary>Notes that a decision of the batch that will have <paramref name="version"/> unlinked something or said that it is not held.</summary>
    public void Deny(string what, long version)
    {
        // Batches are committed one after the other: whoever begins from now on has a sequence above all earlier ones.
        if (_underWay == 0 && version > _newest)
        {
            _denied.Clear();
        }

        _denied[what] = version;
        _newest = Math.Max(_newest, version);
    }

    /// <summary>Whether what was acquired with <paramref name="sequence"/> may be committed.</summary>
    public bool Allows(string what, long sequence) => !_denied.TryGetValue(what, out var version) || version < sequence;

    /// <summary>Records in a row that another grain knows the repository; false if that has ended since it was told, and it has to be told again.</summary>
    /// <param name="rows">The batch.</param>
    /// <param name="row">The row: if it is there already, there is nothing to do.</param>
    /// <param name="what">As what it is denied.</param>
    /// <param name="announced">When the grain was told, if it was.</param>
    public bool Confirm(RowBatch rows, string row, string what, PendingRegistration? announced)
    {
        if (rows.Has(row))
        {
            return true;
        }

        if (announced is not { } known || !Allows(what, known.Sequence))
        {
            return false;
        }

        rows.Put(row, RepositoryRows.Mark);
        return true;
    }

    /// <summary>Forgets what was denied, as if it had not been: for tests that show what the rule is good for.</summary>
    internal void Forget(Func<string, bool> which)
    {
        foreach (var what in _denied.Keys.Where(which).ToArray())
        {
            _denied.Remove(what);
        }
    }

    private void Leave() => _underWay--;

    private sealed class Flight(LinkGuard guard) : IDisposable
    {
        private bool _over;

        public void Dispose()
        {
            if (!_over)
            {
                _over = true;
                guard.Leave();
            }
        }
    }
}
