using System.Globalization;
using System.Net;
using System.Text.Json;
using Granary.Gateway.Http;
using Granary.Gateway.Transfer;
using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Granary.Gateway.Admin;

/// <summary>
/// The administration's API: operations that take long, and explanations. Until there is access control it answers only on the server's own machine.
/// <code>
/// POST   /granary/v1/operations                            starts one: {"kind":"collection","dryRun":true,"grace":"1h"}
/// GET    /granary/v1/operations?kind=collection&amp;limit=1   the newest ones
/// GET    /granary/v1/operations/&lt;id&gt;                       one, with its progress
/// DELETE /granary/v1/operations/&lt;id&gt;                       cancels it
/// GET    /granary/v1/explain?repository=…&amp;digest=…          why content is kept, or when it goes
/// </code>
/// </summary>
internal sealed partial class AdminApi(
    IGrainFactory grains,
    IOptions<AdminOptions> options,
    IOptions<UploadOptions> uploadOptions,
    TimeProvider time,
    ILogger<AdminApi> logger)
{
    public const string Prefix = "/granary";

    private const int MaxRequest = 64 * 1024;
    private const int MaxList = 50;

    // Those who forward for others say so.
    private static readonly string[] ProxyHeaders = ["Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via"];

    public async Task HandleAsync(HttpContext http)
    {
        try
        {
            await (IsAllowed(http) ? RouteAsync(http) : ErrorResponse.WriteAsync(http, RegistryError.AdminOnlyHere));
        }
        catch (Exception e) when ((e is PartitionUnavailableException or TimeoutException || GrainCalls.IsClusterFault(e)) && !http.Response.HasStarted)
        {
            LogUnavailable(logger, http.Request.Method, http.Request.Path, e.Message);
            await ErrorResponse.WriteAsync(http, e is PartitionUnavailableException { Fault: var fault } ? ErrorResponse.Of(fault) : RegistryError.Unavailable);
        }
        catch (Exception e) when (e is JsonException || (e is BrokenBodyException { InnerException: BadHttpRequestException } && !http.RequestAborted.IsCancellationRequested))
        {
            await ErrorResponse.WriteAsync(http, RegistryError.AdminRequestInvalid, $"The body cannot be read: {e.Message}");
        }
        catch (BrokenBodyException)
        {
            // Nobody is there to be told.
            http.Abort();
        }
    }

    /// <summary>
    /// A caller on this machine that speaks to this server itself. A proxy on the same machine would speak for anybody, and a page in a browser here for anybody who
    /// wrote it (also under a name of theirs that leads here).
    /// </summary>
    private bool IsAllowed(HttpContext http) =>
        options.Value.Enabled
        && http.Connection.RemoteIpAddress is { } address && IPAddress.IsLoopback(address)
        && !Array.Exists(ProxyHeaders, http.Request.Headers.ContainsKey)
        && !http.Request.Headers.ContainsKey("Origin")
        && (http.Request.Host.Host is "localhost" || (IPAddress.TryParse(http.Request.Host.Host, out var host) && IPAddress.IsLoopback(host)));

    private Task RouteAsync(HttpContext http)
    {
        var parts = (http.Request.Path.Value ?? "").Split('/', StringSplitOptions.RemoveEmptyEntries);
        return (http.Request.Method, parts) switch
        {
            ("POST", [_, "v1", "operations"]) => StartAsync(http),
            ("GET", [_, "v1", "operations"]) => ListAsync(http),
            ("GET", [_, "v1", "operations", var id]) => AnswerAsync(http, Operations.Find(id, http.RequestAborted)),
            ("DELETE", [_, "v1", "operations", var id]) => AnswerAsync(http, Operations.Cancel(id, http.RequestAborted)),
            ("GET", [_, "v1", "explain"]) => ExplainAsync(http),
            _ => ErrorResponse.WriteAsync(http, RegistryError.PathUnknown, "The path and method are not part of the administration's API."),
        };
    }

    private IOperationsGrain Operations => grains.GetGrain<IOperationsGrain>(0);

    private async Task StartAsync(HttpContext http)
    {
        using var body = new RequestBody(http, uploadOptions.Value.IdleTimeout, time);
        if (!http.Request.HasJsonContentType() || await body.ReadWholeAsync(MaxRequest) is not { } document)
        {
            await ErrorResponse.WriteAsync(http, RegistryError.AdminRequestInvalid, "The body has to be a small JSON object, with Content-Type: application/json.");
            return;
        }

        var asked = OperationJson.ReadStart(document);
        if (asked.FindFault() is { } wrong)
        {
            await ErrorResponse.WriteAsync(http, RegistryError.AdminRequestInvalid, wrong);
            return;
        }

        var started = await Operations.Start(asked.ToRequest(), http.RequestAborted);
        if (!started.IsNew)
        {
            await ErrorResponse.WriteAsync(http, RegistryError.OperationInTheWay, detail: json => json.WriteString("id", started.Operation.Id));
            return;
        }

        http.Response.StatusCode = StatusCodes.Status202Accepted;
        http.Response.Headers.Location = $"{Prefix}/v1/operations/{started.Operation.Id}";
        await WriteAsync(http, OperationJson.Of(started.Operation));
    }

    private async Task ListAsync(HttpContext http)
    {
        OperationKind? kind = null;
        if (http.Request.Query["kind"] is [{ Length: > 0 } text])
        {
            if (!Enum.TryParse<OperationKind>(text, ignoreCase: true, out var parsed))
            {
                await ErrorResponse.WriteAsync(http, RegistryError.AdminRequestInvalid, $"kind has to be one of {string.Join(", ", Enum.GetNames<OperationKind>()).ToLowerInvariant()}.");
                return;
            }

            kind = parsed;
        }

        var limit = int.TryParse(http.Request.Query["limit"], NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? Math.Min(number, MaxList) : MaxList;
        await WriteAsync(http, OperationJson.Of(await Operations.List(kind, limit, http.RequestAborted)));
    }

    private async Task ExplainAsync(HttpContext http)
    {
        if (!RepositoryName.TryParse(http.Request.Query["repository"].ToString(), out var repository) || !Digest.TryParse(http.Request.Query["digest"].ToString(), out var digest))
        {
            await ErrorResponse.WriteAsync(http, RegistryError.AdminRequestInvalid, "repository has to be a repository's name, and digest a digest.");
            return;
        }

        var here = await grains.GetGrain<IRepositoryUpkeepGrain>(repository.Value).Explain(digest, http.RequestAborted);
        var blob = await grains.GetGrain<IBlobShardGrain>(digest.FirstByte).Find(digest, http.RequestAborted);
        var explanation = new Explanation(repository, digest, here, blob, ExplanationText.Of(repository, digest, here, blob));
        await WriteAsync(http, JsonSerializer.SerializeToUtf8Bytes(explanation, ExplanationJson.Options));
    }

    private static async Task AnswerAsync(HttpContext http, Task<OperationStatus?> find)
    {
        if (await find is { } operation)
        {
            await WriteAsync(http, OperationJson.Of(operation));
        }
        else
        {
            await ErrorResponse.WriteAsync(http, RegistryError.OperationUnknown);
        }
    }

    private static Task WriteAsync(HttpContext http, ReadOnlyMemory<byte> document)
    {
        http.Response.Headers.CacheControl = "no-store";
        return JsonResponse.SendAsync(http, JsonResponse.ContentType, document);
    }

    [LoggerMessage(2201, LogLevel.Error, "{Method} {Path} could not be answered, and the administrator was told so: {Reason}")]
    private static partial void LogUnavailable(ILogger logger, string method, PathString path, string reason);
}
