using Granary.Gateway.Http;
using Granary.Gateway.Transfer;

namespace Granary.Silo.Hosting;

/// <summary>
/// Logs one line for each request (<see cref="AccessLine"/>), and writes the request's id into the answer. Every other log line about
/// the request has the same id.
/// </summary>
internal sealed class AccessLog(ILogger<AccessLog> logger, TimeProvider time, bool isEnabled, CancellationToken stopping)
{
    private static readonly EventId Event = new(3001, "Request");

    private static readonly Func<ILogger, string, PathString, IDisposable?> BeginRequest =
        LoggerMessage.DefineScope<string, PathString>("RequestId:{RequestId} RequestPath:{RequestPath}");

    public async Task HandleAsync(HttpContext http, RequestDelegate next)
    {
        RequestOrigin.Identify(http);
        http.Response.Headers["X-Request-Id"] = http.TraceIdentifier;
        using var request = BeginRequest(logger, http.TraceIdentifier, http.Request.Path);
        if (!isEnabled)
        {
            await next(http);
            return;
        }

        var start = time.GetTimestamp();
        var isFault = true;
        try
        {
            await next(http);
            isFault = false;
        }
        finally
        {
            Write(http, isFault, time.GetElapsedTime(start));
        }
    }

    private void Write(HttpContext http, bool isFault, TimeSpan elapsed)
    {
        var traffic = RequestTraffic.Of(http);
        var brokenBy = traffic?.Conclude(http, stopping.IsCancellationRequested) ?? BreakOff.None;
        var status = http.Response.StatusCode;
        if (!http.Response.HasStarted && (isFault || brokenBy != BreakOff.None))
        {
            // After this, the web server answers 500 to an unhandled exception, and sends no answer to a client that is gone.
            status = brokenBy == BreakOff.None ? StatusCodes.Status500InternalServerError : StatusCodes.Status499ClientClosedRequest;
        }

        var line = new AccessLine(
            http.Request.Method,
            http.Request.Path,
            status,
            traffic?.Sent ?? 0,
            traffic?.Received ?? 0,
            elapsed,
            http.Connection.RemoteIpAddress,
            http.Request.Headers.UserAgent.ToString(),
            brokenBy);
        logger.Log(LogLevel.Information, Event, line, exception: null, static (line, _) => line.ToString());
    }
}
