using System.Threading.Channels;

namespace Granary.Grains.Operations;

/// <summary>
/// Wakes the worker of this silo when an operation may wait for one, so that the administrator's operation starts at once. The workers of
/// other silos look for operations on their timers. They take it if this worker is gone.
/// </summary>
public sealed class OperationSignal
{
    // One signal is enough: a worker that wakes claims all operations that it can.
    private readonly Channel<bool> _channel = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>Wakes the worker, now or at its next wait.</summary>
    public void Set() => _channel.Writer.TryWrite(true);

    /// <summary>Waits for a call of <see cref="Set"/> since the last wait.</summary>
    internal ValueTask<bool> WaitAsync(CancellationToken cancellationToken) => _channel.Reader.ReadAsync(cancellationToken);
}
