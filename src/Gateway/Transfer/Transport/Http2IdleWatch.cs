using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Granary.Gateway.Transfer.Transport;

/// <summary>
/// Resets a stream of HTTP/2 whose client takes nothing of the answer for the idle timeout. Flow control stalls such a stream before its
/// bytes reach the socket, so that <see cref="SocketOutput"/> does not see it. HTTP/1.1 does not need it.
/// </summary>
/// <remarks>
/// A flush ends when the client has taken all of it, and shows no progress before. The bytes that the whole connection has taken show some:
/// without progress there, the stream has none. With progress, which may belong to other streams, the client gets one idle timeout for each
/// <see cref="LeastProgress"/> bytes of the flush.
/// </remarks>
internal sealed class Http2IdleWatch : IDisposable
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

    // The timer's callback holds the lock while it runs, so that it never resets a stream whose flush has ended: the next request may use
    // the same context.
    private readonly Lock _lock = new();
    private long _taken;
    private int _ticks;
    private bool _isOver;

    private Http2IdleWatch(HttpContext http, RequestTraffic traffic, int count)
    {
        (_http, _traffic, _patience) = (http, traffic, Math.Max(count / LeastProgress, 1));
        _output = http.Features.Get<SocketOutput>();
        _taken = _output?.GetBytesTaken() ?? 0;
        _timer = traffic.Time.CreateTimer(static state => ((Http2IdleWatch)state!).Check(), this, traffic.IdleTimeout, traffic.IdleTimeout);
    }

    /// <summary>Watches a flush that waits. Returns null for HTTP/1.1, where <see cref="SocketOutput"/> watches.</summary>
    /// <param name="http">The exchange.</param>
    /// <param name="traffic">Its counts.</param>
    /// <param name="count">How many bytes the flush sends.</param>
    public static Http2IdleWatch? Start(HttpContext http, RequestTraffic traffic, int count) =>
        http.Features.Get<IHttpResetFeature>() is null ? null : new Http2IdleWatch(http, traffic, count);

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
                _traffic.MarkBroken(BreakOff.IdleReader);
                _http.Features.Get<IHttpResetFeature>()?.Reset(HttpCancel);
            }
        }
    }

    private bool IsIdle()
    {
        var taken = _output?.GetBytesTaken() ?? 0;
        var isIdle = taken - _taken < Pings || ++_ticks >= _patience;
        _taken = taken;
        return isIdle;
    }
}
