using Granary.Grains.Partitions;

namespace Granary.Grains.Repositories;

/// <summary>
/// The rule <c>guard</c>: the repository commits a link, or a registration, only if no decision since the call to Acquire has unlinked or
/// denied it. A denial concerns only commands that are under way, or that begin before the denial is committed: those have the same
/// sequence. Older denials are dropped. A stale activation is stopped by the compare-and-swap of its commit.
/// </summary>
internal sealed class LinkGuard
{
    private readonly Dictionary<string, long> _denied = new(StringComparer.Ordinal);
    private long _newest;
    private int _underWay;

    /// <summary>Begins a command that will call Acquire. The caller disposes the result when the command ends.</summary>
    public IDisposable BeginAcquire()
    {
        _underWay++;
        return new PendingAcquire(this);
    }

    /// <summary>Records that a decision of the batch with this version has unlinked or denied a key.</summary>
    public void Deny(string key, long version)
    {
        // Batches are committed one after the other, so a command that begins from now on has a sequence above all earlier denials.
        if (_underWay == 0 && version > _newest)
        {
            _denied.Clear();
        }

        _denied[key] = version;
        _newest = Math.Max(_newest, version);
    }

    /// <summary>
    /// Denies a key to another grain: commits at least a fence (<c>fence</c>), and refuses what was acquired before it. Returns false, the
    /// denial.
    /// </summary>
    public bool Refuse(RowBatch batch, string key)
    {
        Deny(key, batch.Version);
        batch.Fence();
        return false;
    }

    /// <summary>Returns whether the repository may commit what it has acquired with this sequence.</summary>
    public bool Allows(string key, long sequence) => !_denied.TryGetValue(key, out var version) || version < sequence;

    /// <summary>
    /// Records a registration in a row. Returns false if there is none or it was denied since: the caller has to register again.
    /// </summary>
    /// <param name="batch">The batch.</param>
    /// <param name="row">The row that records the registration. If it exists, the repository is registered already.</param>
    /// <param name="key">The key under which the registration is denied.</param>
    /// <param name="pending">The registration that the other grain has made; null if there is none.</param>
    public bool Register(RowBatch batch, string row, string key, PendingRegistration? pending)
    {
        if (batch.Has(row))
        {
            return true;
        }

        if (pending is not { } made || !Allows(key, made.Sequence))
        {
            return false;
        }

        batch.Put(row, RepositoryRows.Mark);
        return true;
    }

    /// <summary>Removes denials, for tests that show what fails without the rule.</summary>
    internal void RemoveDenials(Func<string, bool> which)
    {
        foreach (var key in _denied.Keys.Where(which).ToArray())
        {
            _denied.Remove(key);
        }
    }

    private sealed class PendingAcquire(LinkGuard guard) : IDisposable
    {
        private bool _isOver;

        public void Dispose()
        {
            if (!_isOver)
            {
                _isOver = true;
                guard._underWay--;
            }
        }
    }
}
