using Granary.Grains.Interfaces.Cluster;
using Granary.Storage;
using Granary.Storage.Blobs;
using Granary.Storage.Space;

namespace Granary.Silo.Hosting;

/// <summary>
/// <c>/healthz</c>: the process lives. <c>/readyz</c>: grains and stores answer, and the server is not stopping. Pulls work on a disk
/// that is full or read-only, and a load balancer must not take them away: the answer is 200, and a second line says that pushes are
/// refused.
/// </summary>
internal sealed partial class Health(
    IGrainFactory grains,
    IBlobStore store,
    IFreeSpace space,
    IHostApplicationLifetime lifetime,
    TimeProvider time,
    ILogger<Health> logger)
{
    // Whoever asks does so every few seconds and gives up after one or two.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    private static Task AliveAsync(HttpContext http) => AnswerAsync(http, StatusCodes.Status200OK, "ok");

    private async Task ReadyAsync(HttpContext http)
    {
        if (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            await AnswerAsync(http, StatusCodes.Status503ServiceUnavailable, "stopping");
            return;
        }

        string? refusal;
        try
        {
            using var patience = new CancellationTokenSource(Patience, time);
            await grains.GetGrain<IClusterGrain>(0).Ping(patience.Token).WaitAsync(patience.Token);
            refusal = await FindRefusalAsync(patience.Token);
        }
        catch (Exception e)
        {
            LogNotReady(logger, e);
            await AnswerAsync(http, StatusCodes.Status503ServiceUnavailable, e is OperationCanceledException ? "no answer in time" : "storage or grains fail; see the log");
            return;
        }

        await AnswerAsync(http, StatusCodes.Status200OK, refusal is null ? "ready" : $"ready\npushes: refused, {refusal}");
    }

    /// <summary>Returns why pushes are refused, or null if they are accepted.</summary>
    private async Task<string?> FindRefusalAsync(CancellationToken cancellationToken)
    {
        var report = space.GetReport();
        if (!report.AcceptsPushes)
        {
            return $"{ByteSize.Describe(report.Free)} are free and {ByteSize.Describe(report.Reserve)} are kept for deletions " +
                "(storage.reserve)";
        }

        try
        {
            await store.CheckAsync(cancellationToken);
            return null;
        }
        catch (StorageException e) when (e.Fault is StorageFault.Full or StorageFault.ReadOnly)
        {
            return e.Fault == StorageFault.Full ? "the disk is full" : "the disk is read-only";
        }
    }

    /// <summary>Answers a request for one of these paths; other methods than GET and HEAD are refused.</summary>
    public Task HandleAsync(HttpContext http, bool isReadiness) => http.Request.Method switch
    {
        not ("GET" or "HEAD") => Gateway.Http.ErrorResponse.RefuseMethodAsync(http, "GET", "HEAD"),
        _ => isReadiness ? ReadyAsync(http) : AliveAsync(http),
    };

    private static Task AnswerAsync(HttpContext http, int status, string text)
    {
        var body = System.Text.Encoding.UTF8.GetBytes(text + "\n");
        http.Response.StatusCode = status;
        http.Response.ContentType = "text/plain";
        http.Response.Headers.CacheControl = "no-store";
        http.Response.ContentLength = body.Length;
        return Gateway.Transfer.AnswerBody.SendAsync(http, body);
    }

    [LoggerMessage(3201, LogLevel.Warning, "Not ready: see the cause")]
    private static partial void LogNotReady(ILogger logger, Exception exception);
}
