using System.IO.Pipelines;
using System.Net.Sockets;
using Granary.Gateway.Http;
using Granary.Protocol;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Granary.Gateway.Transfer;

/// <summary>
/// Bounds what is read of a body after an answer that did not need it (401, 404, 405, 413, 416, 429, …). Left alone, the web server reads
/// and drops
/// for five seconds whatever a client sends: gigabytes. The first middleware of all, so that it holds for every path.
/// <list type="number">
/// <item>A rest that is known to be small is dropped, and the connection goes on.</item>
/// <item>Otherwise the answer says <c>Connection: close</c>. A client that sends first and reads later gets time to find the answer: a
/// connection
/// that is closed with unread bytes is reset, and a reset may destroy the answer. So a bounded part is dropped before.</item>
/// <item>A stream of HTTP/2 is reset; flow control bounds what is under way.</item>
/// </list>
/// </summary>
internal sealed partial class EarlyAnswers(IOptions<DownloadOptions> options, TimeProvider time, ILogger<EarlyAnswers> logger)
{
    /// <summary>
    /// The rest that is dropped for the sake of the connection: what arrives in about one round trip, cheaper than a new connection.
    /// </summary>
    public const int SmallRest = 64 * 1024;

    /// <summary>
    /// The most that is dropped before a connection is closed: a client that sends twice the largest manifest still reads its 413.
    /// </summary>
    public const int MaxDropped = 4 * 1024 * 1024;

    /// <summary>How long the server waits for a client to read the answer and close: a few round trips of a slow line.</summary>
    public static readonly TimeSpan MaxLinger = TimeSpan.FromSeconds(2);

    private const int NoError = 0;

    public Task HandleAsync(HttpContext http, RequestDelegate next)
    {
        var traffic = new RequestTraffic(options.Value.IdleTimeout, time);
        http.Features.Set(traffic);
        return RequestBody.IsAbsent(http) ? next(http) : HandleWithBodyAsync(http, traffic, next);
    }

    private async Task HandleWithBodyAsync(HttpContext http, RequestTraffic traffic, RequestDelegate next)
    {
        http.Response.OnStarting(static state => RegisterAsync((HttpContext)state), http);
        try
        {
            await next(http);
        }
        catch (Exception e) when (!http.Response.HasStarted && !http.RequestAborted.IsCancellationRequested)
        {
            // The web server would answer by itself, and then read the body without a bound.
            LogDefect(logger, e, http.Request.Method, http.Request.Path);
            var id = http.Response.Headers["X-Request-Id"];
            http.Response.Clear();
            http.Response.Headers["X-Request-Id"] = id;
            await ErrorResponse.WriteAsync(http, RegistryError.Internal);
        }

        if (!traffic.IsBodyRead && !http.RequestAborted.IsCancellationRequested)
        {
            await EndAsync(http, traffic);
        }
    }

    /// <summary>Runs when the headers of the answer are made: they say whether the connection goes on.</summary>
    private static Task RegisterAsync(HttpContext http)
    {
        var traffic = RequestTraffic.Of(http)!;
        if (!traffic.IsBodyRead && !HttpProtocol.IsHttp2(http.Request.Protocol) && !HasSmallRest(http, traffic))
        {
            traffic.Closes();
            http.Response.Headers.Connection = "close";
        }

        return Task.CompletedTask;
    }

    private static bool HasSmallRest(HttpContext http, RequestTraffic traffic)
    {
        if (http.Request.Headers.ContainsKey("Expect"))
        {
            // The client may or may not send its body after an answer that is not 100: only a new connection is clear about it.
            return false;
        }

        if (http.Request.ContentLength is { } length)
        {
            return length - traffic.Received <= SmallRest;
        }

        // Chunked: small if it is here already, as the empty body is that some clients send.
        return DropArrived(http.Request.BodyReader, traffic);
    }

    /// <summary>Drops what has arrived of a body, up to a bound. Returns true if that was all of it.</summary>
    private static bool DropArrived(PipeReader reader, RequestTraffic traffic)
    {
        try
        {
            for (var bound = traffic.Received + SmallRest; traffic.Received < bound && reader.TryRead(out var read);)
            {
                Drop(reader, traffic, read);
                if (traffic.IsBodyRead)
                {
                    return true;
                }
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or InvalidOperationException)
        {
            // The body is malformed or was broken off: the connection cannot go on.
        }

        return false;
    }

    private async Task EndAsync(HttpContext http, RequestTraffic traffic)
    {
        try
        {
            await http.Response.CompleteAsync();
            traffic.Answered();
            if (http.Features.Get<IHttpResetFeature>() is { } stream)
            {
                stream.Reset(NoError);
                return;
            }

            if (traffic.IsClosing)
            {
                CloseSending(http);
            }

            if (await DropAsync(http.Request.BodyReader, traffic))
            {
                return;
            }
        }
        catch (BadHttpRequestException)
        {
            // The client closed its end, or what it sends is no body. The web server reads no more of it either, and closes without a
            // reset.
            return;
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or InvalidOperationException)
        {
            // The client has reset the connection, or its time is over.
        }

        http.Abort();
    }

    /// <summary>
    /// Tells the client that nothing follows the answer, so that it need not wait for the end. With TLS the connection's end does.
    /// </summary>
    private static void CloseSending(HttpContext http)
    {
        if (http.Request.IsHttps || http.Features.Get<IConnectionSocketFeature>()?.Socket is not { } socket)
        {
            return;
        }

        try
        {
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The connection has ended by itself.
        }
    }

    /// <summary>Reads and drops the rest of a body. Returns false if it has no end within the bounds.</summary>
    private async Task<bool> DropAsync(PipeReader reader, RequestTraffic traffic)
    {
        using var over = new CancellationTokenSource(MaxLinger, time);
        for (var bound = traffic.Received + MaxDropped; traffic.Received < bound;)
        {
            Drop(reader, traffic, await reader.ReadAsync(over.Token));
            if (traffic.IsBodyRead)
            {
                return true;
            }
        }

        // What else arrives stays in the buffers of the network, which are full soon. The client has the rest of the time to find its
        // answer.
        await Task.Delay(Timeout.InfiniteTimeSpan, time, over.Token);
        return false;
    }

    private static void Drop(PipeReader reader, RequestTraffic traffic, in ReadResult read)
    {
        traffic.NoteRead(read);
        traffic.NoteLeft(default);
        reader.AdvanceTo(read.Buffer.End);
    }

    [LoggerMessage(2005, LogLevel.Error, "{Method} {Path}: unhandled exception; this is a bug, please report it")]
    private static partial void LogDefect(ILogger logger, Exception exception, string method, PathString path);
}
