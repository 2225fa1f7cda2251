using System.Runtime.InteropServices;

namespace Granary.Silo.Commands;

/// <summary>
/// Turns the first SIGINT or SIGTERM into a cancellation. The second one ends the process at once, as it would without this class. Where
/// the parent process ignores SIGINT for its children (<c>nohup granary … &amp;</c> in a script), it stays ignored, as is the custom;
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

    /// <summary>Cancelled by the first signal.</summary>
    public CancellationToken Token => _stop.Token;

    public void Dispose()
    {
        // The source is not disposed of: a signal that arrived a moment ago may still be about to cancel it, on its own thread.
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
