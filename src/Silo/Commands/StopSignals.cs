using System.Runtime.InteropServices;

namespace Granary.Silo.Commands;

/// <summary>
/// Turns the first SIGINT or SIGTERM into a cancellation. The second one ends the process at once, as without this class. If the parent
/// process ignores SIGINT for its children (<c>nohup granary … &amp;</c> in a script), the process ignores it too, as is the custom.
/// SIGTERM works everywhere.
/// </summary>
internal sealed class StopSignals : IDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly PosixSignalRegistration[] _registrations;
    private int _signals;

    public StopSignals() => _registrations =
    [
        PosixSignalRegistration.Create(PosixSignal.SIGINT, Handle),
        PosixSignalRegistration.Create(PosixSignal.SIGTERM, Handle),
    ];

    /// <summary>The token that the first signal cancels.</summary>
    public CancellationToken Token => _stop.Token;

    public void Dispose()
    {
        // The token source stays undisposed: the thread of a signal that arrived just before may still cancel it, and would throw.
        foreach (var registration in _registrations)
        {
            registration.Dispose();
        }
    }

    private void Handle(PosixSignalContext signal)
    {
        if (Interlocked.Increment(ref _signals) > 1)
        {
            return;
        }

        signal.Cancel = true;
        _stop.Cancel();
    }
}
