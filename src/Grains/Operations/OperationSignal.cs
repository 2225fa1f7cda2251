using System.Threading.Channels;

namespace Granary.Grains.Operations;

/// <summary>
/// Wakes the worker of this silo when there may be something to do. Who starts an operation waits for it; the workers of other silos look now and then, and are those who
/// take it if this one is busy or gone.
/// </summary>
public sealed class OperationSignal
{
    // One is enough: whoever wakes takes all that there is.
    private readonly Channel<bool> _channel = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    /// <summary>Wakes the worker, now or when it next waits.</summary>
    public void Set() => _channel.Writer.TryWrite(true);

    /// <summary>Waits until somebody has called <see cref="Set"/> since the last wait.</summary>
    internal ValueTask<bool> WaitAsync(CancellationToken cancellationToken) => _channel.Reader.ReadAsync(cancellationToken);
}
