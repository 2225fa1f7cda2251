using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Transfer;

/// <summary>
/// Counts the body bytes of one request and of its answer, and notes who broke the exchange off. Each request has one in its features. The
/// bytes are counted where they are flushed and received, so that no stream has to be wrapped.
/// </summary>
public sealed class RequestTraffic
{
    private long _buffered;
    private bool _isAnswered;
    private BreakOff _brokenBy;

    internal RequestTraffic(TimeSpan idleTimeout, TimeProvider time) => (IdleTimeout, Time) = (idleTimeout, time);

    /// <summary>Body bytes that the server received.</summary>
    public long Received { get; private set; }

    /// <summary>Body bytes that the server gave to the connection. A block whose sending broke off is not counted.</summary>
    public long Sent { get; private set; }

    /// <summary>Whether the server has received the whole body of the request.</summary>
    internal bool IsBodyRead { get; private set; }

    /// <summary>Whether the answer says that the connection is closed after it.</summary>
    internal bool IsClosing { get; private set; }

    /// <summary>How long the client may take nothing of the answer.</summary>
    internal TimeSpan IdleTimeout { get; }

    internal TimeProvider Time { get; }

    /// <summary>Returns what was counted for a request; null where no middleware counts, as in tests of single parts.</summary>
    public static RequestTraffic? Of(HttpContext http) => http.Features.Get<RequestTraffic>();

    /// <summary>Says who broke the exchange off, once the endpoint has ended.</summary>
    /// <param name="http">The exchange.</param>
    /// <param name="isStopping">Whether the server is stopping: then a connection that ended without a cause of its own was cut by
    /// that.</param>
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

        var isCut = output is { IsBroken: true } || (!_isAnswered && http.RequestAborted.IsCancellationRequested);
        return isCut ? (isStopping ? BreakOff.Shutdown : BreakOff.Client) : BreakOff.None;
    }

    /// <summary>Notes who breaks the exchange off. The first one counts: what follows is a consequence.</summary>
    internal void Break(BreakOff by)
    {
        if (_brokenBy == BreakOff.None)
        {
            _brokenBy = by;
        }
    }

    /// <summary>Notes that the answer says that the connection is closed after it.</summary>
    internal void Closes() => IsClosing = true;

    /// <summary>
    /// Notes that the whole answer was given to the connection: what ends the connection from here on does not break it off.
    /// </summary>
    internal void Answered() => _isAnswered = true;

    /// <summary>
    /// Counts bytes of the answer whose sending has ended. Sending to a connection that is broken ends, too, and is not counted.
    /// </summary>
    internal void AddSent(HttpContext http, long bytes)
    {
        if (_brokenBy == BreakOff.None && http.Features.Get<SocketOutput>() is not { IsBroken: true })
        {
            Sent += bytes;
        }
    }

    /// <summary>Counts what a read of the body brought. What an earlier read left there comes again, and counts once.</summary>
    internal void NoteRead(in ReadResult read)
    {
        Received += read.Buffer.Length - _buffered;
        _buffered = read.Buffer.Length;
        IsBodyRead |= read.IsCompleted;
    }

    /// <summary>Notes which part of the last read stays there for the next one.</summary>
    internal void NoteLeft(in ReadOnlySequence<byte> left) => _buffered = left.Length;
}
