
namespace Granary.Silo.Hosting;

/// <summary>One line for each request, and the request's id in its answer: the same id stands in every other line about the request.</summary>
internal sealed partial class AccessLog(ILogger<AccessLog> logger, TimeProvider time, bool isEnabled)
{
    private static readonly Func<ILogger, string, PathString, IDisposable?> BeginRequest =
        LoggerMessage.DefineScope<string, PathString>("RequestId:{RequestId} RequestPath:{RequestPath}");

    public async Task HandleAsync(HttpContext http, RequestDelegate next)
    {
        http.Response.Headers["X-Request-Id"] = http.TraceIdentifier;
        using var request = BeginRequest(logger, http.TraceIdentifier, http.Request.Path);
        if (!isEnabled)
        {
            await next(http);
            return;
        }

        var start = time.GetTimestamp();
        try
        {
            await next(http);
        }
        finally
        {
            LogRequest(
                http.Request.Method,
                http.Request.Path,
                http.Response.StatusCode,
                http.Response.ContentLength ?? 0,
                time.GetElapsedTime(start).TotalMilliseconds,
                http.Connection.RemoteIpAddress?.ToString(),
                http.Request.Headers.UserAgent);
        }
    }

    [LoggerMessage(3001, LogLevel.Information, "{Method} {Path} {Status} {Bytes} B {Milliseconds:F1} ms {Client} \"{UserAgent}\"")]
    private partial void LogRequest(string method, string? path, int status, long bytes, double milliseconds, string? client, string? userAgent);
}
