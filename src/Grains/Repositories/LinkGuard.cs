namespace Granary.Grains.Repositories;

/// <summary>
/// Rule 4, <c>guard</c>: a link (or a first entry in the catalog) is committed only if nothing since the call to Acquire unlinked it or denied it. What was
/// denied matters only to calls that are on their way, so it is forgotten when there are none; activations that are stale are stopped by the compare-and-swap.
/// </summary>
internal sealed class LinkGuard
{
    private readonly Dictionary<string, long> _denied = new(StringComparer.Ordinal);
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
        if (_underWay > 0)
        {
            _denied[what] = version;
        }
    }

    /// <summary>Whether what was acquired with <paramref name="sequence"/> may be committed.</summary>
    public bool Allows(string what, long sequence) => !_denied.TryGetValue(what, out var version) || version < sequence;

    private void Leave()
    {
        if (--_underWay == 0)
        {
            _denied.Clear();
        }
    }

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
