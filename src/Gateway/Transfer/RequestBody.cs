using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Granary.Gateway.Transfer;

/// <summary>
/// Reads the body of a request in blocks of the connection's memory, without a copy. If the client sends nothing for the idle timeout or
/// closes the connection, a read throws <see cref="BrokenBodyException"/>.
/// </summary>
internal sealed class RequestBody : IDisposable
{
    private readonly HttpContext _http;
    private readonly PipeReader _reader;
    private readonly TimeSpan _idleTimeout;
    private readonly CancellationTokenSource _idle;
    private readonly RequestTraffic? _traffic;
    private ReadOnlySequence<byte> _read;

    public RequestBody(HttpContext http, TimeSpan idleTimeout, TimeProvider time)
    {
        _http = http;
        _reader = http.Request.BodyReader;
        _idleTimeout = idleTimeout;
        _idle = new CancellationTokenSource(Timeout.InfiniteTimeSpan, time);
        _traffic = RequestTraffic.Of(http);
    }

    /// <summary>Returns whether the request certainly has no body.</summary>
    public static bool IsAbsent(HttpContext http) =>
        http.Request.ContentLength is 0 || http.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: false };

    /// <summary>Waits for bytes. A read returns again the bytes that <see cref="Advance(SequencePosition)"/> did not consume.</summary>
    /// <exception cref="BrokenBodyException">The client stopped before the end.</exception>
    public async ValueTask<ReadResult> ReadAsync()
    {
        try
        {
            if (_reader.TryRead(out var ready))
            {
                return Count(ready);
            }

            // The timeout runs only while this read waits: a long upload is not an idle one.
            _idle.CancelAfter(_idleTimeout);
            var read = await _reader.ReadAsync(_idle.Token);
            _idle.CancelAfter(Timeout.InfiniteTimeSpan);
            return Count(read);
        }
        catch (OperationCanceledException e)
        {
            if (_idle.IsCancellationRequested)
            {
                _traffic?.MarkBroken(BreakOff.IdleSender);
            }

            throw new BrokenBodyException("The client sent nothing for uploads.idleTimeout, or the server is stopping.", e);
        }
        catch (Exception e)
            when (e is ConnectionResetException or ConnectionAbortedException or IOException
                && e is not BadHttpRequestException { StatusCode: 413 })
        {
            throw new BrokenBodyException(e.Message, e);
        }
    }

    /// <summary>Consumes bytes up to a position.</summary>
    public void Advance(SequencePosition consumed)
    {
        _traffic?.CountUnread(_read.Slice(consumed));
        _reader.AdvanceTo(consumed);
    }

    /// <summary>Consumes bytes up to one position and examines them up to another: the next read waits for bytes after that.</summary>
    public void Advance(SequencePosition consumed, SequencePosition examined)
    {
        _traffic?.CountUnread(_read.Slice(consumed));
        _reader.AdvanceTo(consumed, examined);
    }

    /// <summary>Reads a whole body. Returns null, and consumes nothing, if it is longer than <paramref name="limit"/> bytes.</summary>
    public async ValueTask<byte[]?> ReadWholeAsync(int limit)
    {
        if (_http.Request.ContentLength > limit)
        {
            return null;
        }

        while (true)
        {
            var read = await ReadAsync();
            if (read.Buffer.Length > limit)
            {
                Advance(read.Buffer.Start);
                return null;
            }

            if (read.IsCompleted)
            {
                var bytes = read.Buffer.ToArray();
                Advance(read.Buffer.End);
                return bytes;
            }

            Advance(read.Buffer.Start, read.Buffer.End);
        }
    }

    private ReadResult Count(in ReadResult read)
    {
        _traffic?.CountRead(read);
        _read = read.Buffer;
        return read;
    }

    public void Dispose() => _idle.Dispose();
}

/// <summary>The client stopped before the end of a body.</summary>
internal sealed class BrokenBodyException(string message, Exception innerException) : Exception(message, innerException);
