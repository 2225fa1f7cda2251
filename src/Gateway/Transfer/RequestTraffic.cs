using System.Buffers;
using System.IO.Pipelines;
using Granary.Gateway.Transfer.Transport;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Transfer;

/// <summary>
/// Counts the body bytes of one request and of its answer, and records who broke the exchange off. Each request has one in its features.
/// The code that flushes and receives bytes counts them, so that no stream has to be wrapped.
/// </summary>
public sealed class RequestTraffic
{
    private long _buffered;
    private bool _isAnswered;
    private bool _isCut;
    private BreakOff _brokenBy;

    internal RequestTraffic(TimeSpan idleTimeout, TimeProvider time) => (IdleTimeout, Time) = (idleTimeout, time);

    /// <summary>The body bytes that the server received.</summary>
    public long Received { get; private set; }

    /// <summary>The body bytes that the server gave to the connection, without a block whose sending broke off.</summary>
    public long Sent { get; private set; }

    /// <summary>Whether the server has received the whole body of the request.</summary>
    internal bool IsBodyRead { get; private set; }

    /// <summary>Whether the answer says that the server closes the connection after it.</summary>
    internal bool IsClosing { get; private set; }

    /// <summary>How long the client may take nothing of the answer before it is given up.</summary>
    internal TimeSpan IdleTimeout { get; }

    internal TimeProvider Time { get; }

    /// <summary>Returns the counts of a request; null if no middleware counts, as in tests of single parts.</summary>
    public static RequestTraffic? Of(HttpContext http) => http.Features.Get<RequestTraffic>();

    /// <summary>Returns who broke the exchange off. Call it when the endpoint has ended.</summary>
    /// <param name="http">The exchange.</param>
    /// <param name="isStopping">Whether the server is stopping. Then the stop cut a connection that ended without another cause.</param>
    public BreakOff Conclude(HttpContext http, bool isStopping)
    {
        if (_brokenBy != BreakOff.None)
        {
            return _brokenBy;
        }

        var output = http.Features.Get<SocketOutput>();
        if (output is { IsBroken: true, BrokenBy: not BreakOff.None })
        {
            return output.BrokenBy;
        }

        var isCut = _isCut || output is { IsBroken: true } || (!_isAnswered && http.RequestAborted.IsCancellationRequested);
        return isCut ? (isStopping ? BreakOff.Shutdown : BreakOff.Client) : BreakOff.None;
    }

    /// <summary>Records who breaks the exchange off. The first call counts: later ones are consequences.</summary>
    internal void MarkBroken(BreakOff by)
    {
        if (_brokenBy == BreakOff.None)
        {
            _brokenBy = by;
        }
    }

    /// <summary>Records that the answer says that the server closes the connection after it.</summary>
    internal void MarkClosing() => IsClosing = true;

    /// <summary>
    /// Records that the connection has the whole answer: an end of the connection after this does not break the exchange off.
    /// </summary>
    internal void MarkAnswered() => _isAnswered = true;

    /// <summary>
    /// Records that the connection takes no more of the answer. The web server may learn that the client is gone before a send fails.
    /// </summary>
    internal void MarkCut() => _isCut = true;

    /// <summary>
    /// Counts bytes of the answer whose sending has ended. Sending to a broken connection also ends, and does not count.
    /// </summary>
    internal void AddSent(HttpContext http, long bytes)
    {
        if (_brokenBy == BreakOff.None && http.Features.Get<SocketOutput>() is not { IsBroken: true })
        {
            Sent += bytes;
        }
    }

    /// <summary>Counts the bytes that a read of the body returned. Bytes that an earlier read left unconsumed count once.</summary>
    internal void CountRead(in ReadResult read)
    {
        Received += read.Buffer.Length - _buffered;
        _buffered = read.Buffer.Length;
        IsBodyRead |= read.IsCompleted;
    }

    /// <summary>Records which bytes of the last read are not consumed: the next read returns them again.</summary>
    internal void CountUnread(in ReadOnlySequence<byte> unread) => _buffered = unread.Length;
}
