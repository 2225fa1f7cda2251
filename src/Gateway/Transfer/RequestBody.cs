using System.Buffers;
using System.IO.Pipelines;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Granary.Gateway.Transfer;

/// <summary>
/// The body of a request, as blocks of the connection's own memory: nothing is copied. A client that sends nothing for the idle timeout, or goes away, ends it
/// with <see cref="BrokenBodyException"/>.
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

    /// <summary>Whether the request has none for sure.</summary>
    public static bool IsAbsent(HttpContext http) =>
        http.Request.ContentLength is 0 || http.Features.Get<IHttpRequestBodyDetectionFeature>() is { CanHaveBody: false };

    /// <summary>Waits for more. What is not given back as used comes again.</summary>
    /// <exception cref="BrokenBodyException">The client stopped in the middle.</exception>
    public async ValueTask<ReadResult> ReadAsync()
    {
        try
        {
            if (_reader.TryRead(out var ready))
            {
                return Note(ready);
            }

            // The clock runs only while somebody waits: a long upload is not an idle one.
            _idle.CancelAfter(_idleTimeout);
            var read = await _reader.ReadAsync(_idle.Token);
            _idle.CancelAfter(Timeout.InfiniteTimeSpan);
            return Note(read);
        }
        catch (OperationCanceledException e)
        {
            if (_idle.IsCancellationRequested)
            {
                _traffic?.Break(BreakOff.IdleSender);
            }

            throw new BrokenBodyException("The client sent nothing for too long, or the server is stopping.", e);
        }
        catch (Exception e) when (e is ConnectionResetException or ConnectionAbortedException or IOException && e is not BadHttpRequestException { StatusCode: 413 })
        {
            throw new BrokenBodyException(e.Message, e);
        }
    }

    /// <summary>Gives back what was used.</summary>
    public void Advance(SequencePosition consumed)
    {
        _traffic?.NoteLeft(_read.Slice(consumed));
        _reader.AdvanceTo(consumed);
    }

    /// <summary>Gives back what was used, and says what was looked at: the next read waits for more.</summary>
    public void Advance(SequencePosition consumed, SequencePosition examined)
    {
        _traffic?.NoteLeft(_read.Slice(consumed));
        _reader.AdvanceTo(consumed, examined);
    }

    /// <summary>Reads a body that has to be small, whole; null if it is longer than <paramref name="limit"/> bytes.</summary>
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

    private ReadResult Note(in ReadResult read)
    {
        _traffic?.NoteRead(read);
        _read = read.Buffer;
        return read;
    }

    public void Dispose() => _idle.Dispose();
}

/// <summary>The client stopped in the middle of a body.</summary>
internal sealed class BrokenBodyException(string message, Exception innerException) : Exception(message, innerException);
