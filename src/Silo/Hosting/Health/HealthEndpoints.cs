using System.Text;
using Granary.Gateway.Http;
using Granary.Gateway.Transfer;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Granary.Silo.Hosting.Health;

/// <summary>
/// Answers health requests. Liveness is 200 while the process lives. Readiness is 503 while the server stops or a check is unhealthy. It
/// is 200 if a check is only degraded, with a second line that says why pushes are refused: pulls work on a disk that is full or
/// read-only, and a load balancer must not take them away.
/// </summary>
internal sealed partial class HealthEndpoints(
    HealthCheckService checks,
    IHostApplicationLifetime lifetime,
    TimeProvider time,
    ILogger<HealthEndpoints> logger)
{
    // Load balancers ask every few seconds, and give up after one or two.
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(2);

    /// <summary>Answers a request for <c>/healthz</c>.</summary>
    public static Task AnswerLivenessAsync(HttpContext http) =>
        IsRead(http) ? AnswerAsync(http, StatusCodes.Status200OK, "ok") : RefuseMethodAsync(http);

    /// <summary>Answers a request for <c>/readyz</c> or <c>/</c>.</summary>
    public async Task AnswerReadinessAsync(HttpContext http)
    {
        if (!IsRead(http))
        {
            await RefuseMethodAsync(http);
            return;
        }

        var (isReady, text) = await CheckAsync();
        await AnswerAsync(http, isReady ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable, text);
    }

    private static bool IsRead(HttpContext http) => http.Request.Method is "GET" or "HEAD";

    private static Task RefuseMethodAsync(HttpContext http) => ErrorResponse.RefuseMethodAsync(http, "GET", "HEAD");

    private async Task<(bool IsReady, string Text)> CheckAsync()
    {
        if (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            return (false, "stopping");
        }

        using var timeout = new CancellationTokenSource(Timeout, time);
        try
        {
            // A check may not react to the cancellation, so the answer does not wait for it.
            return Describe(await checks.CheckHealthAsync(timeout.Token).WaitAsync(timeout.Token));
        }
        catch (OperationCanceledException e)
        {
            LogNotReady(logger, $"storage and grains did not answer within {Timeout.TotalSeconds} seconds", e);
            return (false, "no answer in time");
        }
    }

    private (bool IsReady, string Text) Describe(HealthReport report)
    {
        foreach (var (name, check) in report.Entries.Where(entry => entry.Value.Status == HealthStatus.Unhealthy))
        {
            LogNotReady(logger, $"the check of {name} failed", check.Exception);
        }

        var refusal = report.Entries.Values.FirstOrDefault(check => check.Status == HealthStatus.Degraded).Description;
        return report.Status == HealthStatus.Unhealthy
            ? (false, "storage or grains fail; see the log")
            : (true, refusal is null ? "ready" : $"ready\npushes: refused, {refusal}");
    }

    private static Task AnswerAsync(HttpContext http, int status, string text)
    {
        var body = Encoding.UTF8.GetBytes(text + "\n");
        http.Response.StatusCode = status;
        http.Response.ContentType = "text/plain";
        http.Response.Headers.CacheControl = "no-store";
        http.Response.ContentLength = body.Length;
        return AnswerBody.SendAsync(http, body);
    }

    [LoggerMessage(3201, LogLevel.Warning, "/readyz answers 503, because {Reason}")]
    private static partial void LogNotReady(ILogger logger, string reason, Exception? exception);
}
