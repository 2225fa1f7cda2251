using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Granary.Gateway.Transfer;

/// <summary>
/// Gives up a stream of HTTP/2 whose client takes nothing of the answer. Flow control stalls such a stream before its bytes reach the
/// socket, so
/// <see cref="SocketOutput"/> does not see it. HTTP/1.1 needs none of this.
/// </summary>
/// <remarks>
/// A flush ends when the client has taken all of it, and says nothing before. What the whole connection has taken tells more: without
/// progress
/// there, the stream has none. With progress, which may be that of other streams, the client gets an idle timeout for every
/// <see cref="LeastProgress"/> bytes of the flush.
/// </remarks>
internal sealed class StreamWatch : IDisposable
{
    // 273 B/s with the default timeout: slower than the slowest line on which a layer is worth waiting for.
    private const int LeastProgress = 16 * 1024;

    // Answers to a client's pings are not progress: 39 bytes each with TLS, and clients ping every ten seconds or less often.
    private const int Pings = 1024;

    private const int HttpCancel = 8;

    private readonly HttpContext _http;
    private readonly RequestTraffic _traffic;
    private readonly SocketOutput? _output;
    private readonly int _patience;
    private readonly ITimer _timer;

    // Held while the timer's callback runs, so that it never resets a stream whose flush has ended: the next request may have the same
    // context.
    private readonly Lock _lock = new();
    private long _taken;
    private int _ticks;
    private bool _isOver;

    private StreamWatch(HttpContext http, RequestTraffic traffic, int count)
    {
        (_http, _traffic, _patience) = (http, traffic, Math.Max(count / LeastProgress, 1));
        _output = http.Features.Get<SocketOutput>();
        _taken = _output?.Taken() ?? 0;
        _timer = traffic.Time.CreateTimer(static state => ((StreamWatch)state!).Check(), this, traffic.IdleTimeout, traffic.IdleTimeout);
    }

    /// <summary>Watches a flush that waits; null where the connection's own watch does.</summary>
    /// <param name="http">The exchange.</param>
    /// <param name="traffic">Its counts.</param>
    /// <param name="count">How many bytes the flush sends.</param>
    public static StreamWatch? Start(HttpContext http, RequestTraffic traffic, int count) =>
        http.Features.Get<IHttpResetFeature>() is null ? null : new StreamWatch(http, traffic, count);

    /// <inheritdoc/>
    public void Dispose()
    {
        lock (_lock)
        {
            _isOver = true;
        }

        _timer.Dispose();
    }

    private void Check()
    {
        lock (_lock)
        {
            if (!_isOver && IsIdle())
            {
                _isOver = true;
                _traffic.Break(BreakOff.IdleReader);
                _http.Features.Get<IHttpResetFeature>()?.Reset(HttpCancel);
            }
        }
    }

    private bool IsIdle()
    {
        var taken = _output?.Taken() ?? 0;
        var isIdle = taken - _taken < Pings || ++_ticks >= _patience;
        _taken = taken;
        return isIdle;
    }
}
