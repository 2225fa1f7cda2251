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
/// Bounds how much of a body the server reads after an answer that did not need it (401, 404, 405, 413, 416, 429, …). By itself the web
/// server reads and drops everything that a client sends for five seconds, which can be gigabytes. This is the first middleware, so that
/// it covers every path.
/// <list type="number">
/// <item>If the rest of the body is known to be small, the server drops it and keeps the connection.</item>
/// <item>Otherwise the answer says <c>Connection: close</c>. Closing a connection with unread bytes resets it, and a reset may destroy the
/// answer. So the server first drops a bounded part: a client that reads only after it has sent finds the answer.</item>
/// <item>A stream of HTTP/2 is reset. Flow control bounds the bytes that are under way.</item>
/// </list>
/// </summary>
internal sealed partial class EarlyAnswers(IOptions<DownloadOptions> options, TimeProvider time, ILogger<EarlyAnswers> logger)
{
    /// <summary>
    /// The largest rest that the server drops to keep the connection: about what arrives in one round trip. It costs less than a new
    /// connection.
    /// </summary>
    public const int SmallRest = 64 * 1024;

    /// <summary>
    /// The most that the server drops before it closes a connection. A client that sends twice the largest manifest still reads its 413.
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
        http.Response.OnStarting(static state => DecideAsync((HttpContext)state), http);
        try
        {
            await next(http);
        }
        catch (Exception e) when (!http.Response.HasStarted && !http.RequestAborted.IsCancellationRequested)
        {
            // Without this answer the web server would answer by itself, and read the body without a bound.
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

    /// <summary>Decides, when the headers of the answer are made, whether the connection is kept.</summary>
    private static Task DecideAsync(HttpContext http)
    {
        var traffic = RequestTraffic.Of(http)!;
        if (!traffic.IsBodyRead && !HttpProtocol.IsHttp2(http.Request.Protocol) && !HasSmallRest(http, traffic))
        {
            traffic.MarkClosing();
            http.Response.Headers.Connection = "close";
        }

        return Task.CompletedTask;
    }

    private static bool HasSmallRest(HttpContext http, RequestTraffic traffic)
    {
        if (http.Request.Headers.ContainsKey("Expect"))
        {
            // After an answer other than 100 the client may send its body or not. Only a new connection makes that clear.
            return false;
        }

        if (http.Request.ContentLength is { } length)
        {
            return length - traffic.Received <= SmallRest;
        }

        // A chunked body is small if all of it is here already, like the empty body that some clients send.
        return DropArrived(http.Request.BodyReader, traffic);
    }

    /// <summary>Drops the bytes of a body that have arrived, up to a bound. Returns true if the body ends with them.</summary>
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
            // The body is malformed or was broken off: the connection cannot be kept.
        }

        return false;
    }

    private async Task EndAsync(HttpContext http, RequestTraffic traffic)
    {
        try
        {
            await http.Response.CompleteAsync();
            traffic.MarkAnswered();
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
            // The client closed its end, or its body is malformed. The web server stops reading too, and closes without a reset.
            return;
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or InvalidOperationException)
        {
            // The client has reset the connection, or MaxLinger is over.
        }

        http.Abort();
    }

    /// <summary>
    /// Closes the sending half of the connection, so that the client does not wait for more after the answer. With TLS the end of the
    /// connection tells the client.
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
            // The connection has ended already.
        }
    }

    /// <summary>Reads and drops the rest of a body. Returns false if it does not end within the bounds.</summary>
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

        // Later bytes stay in the network's buffers, which soon are full. The client has the rest of MaxLinger to read its answer.
        await Task.Delay(Timeout.InfiniteTimeSpan, time, over.Token);
        return false;
    }

    private static void Drop(PipeReader reader, RequestTraffic traffic, in ReadResult read)
    {
        traffic.CountRead(read);
        traffic.CountUnread(default);
        reader.AdvanceTo(read.Buffer.End);
    }

    [LoggerMessage(2005, LogLevel.Error, "{Method} {Path}: unhandled exception; this is a bug, please report it")]
    private static partial void LogDefect(ILogger logger, Exception exception, string method, PathString path);
}
