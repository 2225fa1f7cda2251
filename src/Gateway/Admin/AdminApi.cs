using System.Globalization;
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
/// The administration's API: operations and explanations. It answers requests that have the token of the data directory and come from the
/// server's own machine (<see cref="AdminAccess"/>).
/// <code>
/// POST   /granary/v1/operations                            starts an operation: {"kind":"collection","dryRun":true,"grace":"1h"}
/// GET    /granary/v1/operations?kind=collection&amp;limit=1   lists the newest operations
/// GET    /granary/v1/operations/&lt;id&gt;                       returns an operation with its progress
/// DELETE /granary/v1/operations/&lt;id&gt;                       cancels an operation
/// GET    /granary/v1/explain?repository=…&amp;reference=…       explains why a manifest or a blob is kept, or when it is deleted
/// </code>
/// </summary>
internal sealed partial class AdminApi(
    IGrainFactory grains,
    RepositoryReader repositories,
    AdminAccess access,
    IOptions<AdminOptions> options,
    IOptions<UploadOptions> uploadOptions,
    TimeProvider time,
    ILogger<AdminApi> logger)
{
    public const string Prefix = "/granary";

    private const int MaxRequest = 64 * 1024;
    private const int MaxList = 50;

    public async Task HandleAsync(HttpContext http)
    {
        try
        {
            await AuthorizeAsync(http);
        }
        catch (Exception e) when (IsUnavailable(e) && !http.Response.HasStarted)
        {
            LogUnavailable(logger, http.Request.Method, http.Request.Path, e.Message);
            var error = e is PartitionUnavailableException { Fault: var fault } ? ErrorResponse.Of(fault) : RegistryError.Unavailable;
            await ErrorResponse.WriteAsync(http, error);
        }
        catch (Exception e) when (e is JsonException || (IsBadRequest(e) && !http.RequestAborted.IsCancellationRequested))
        {
            await RefuseAsync(http, $"The body cannot be read: {e.Message}");
        }
        catch (BrokenBodyException)
        {
            // The client is gone, and cannot get an answer.
            http.Abort();
        }
    }

    private static bool IsUnavailable(Exception e) =>
        e is PartitionUnavailableException or TimeoutException || GrainCalls.IsClusterFault(e);

    private static bool IsBadRequest(Exception e) => e is BrokenBodyException { InnerException: BadHttpRequestException };

    private Task AuthorizeAsync(HttpContext http)
    {
        if (!options.Value.Enabled)
        {
            return ErrorResponse.WriteAsync(
                http,
                RegistryError.AdminOnlyHere,
                "The administration's API is turned off. Turn it on with admin.enabled: true.");
        }

        if (!AdminAccess.IsLocal(http))
        {
            return ErrorResponse.WriteAsync(http, RegistryError.AdminOnlyHere);
        }

        if (!access.HasToken(http))
        {
            http.Response.Headers.WWWAuthenticate = "Bearer realm=\"granary administration\"";
            return ErrorResponse.WriteAsync(http, RegistryError.AdminTokenMissing);
        }

        return RouteAsync(http);
    }

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
            (_, [_, "v1", "operations"]) => ErrorResponse.RefuseMethodAsync(http, "POST", "GET"),
            (_, [_, "v1", "operations", _]) => ErrorResponse.RefuseMethodAsync(http, "GET", "DELETE"),
            (_, [_, "v1", "explain"]) => ErrorResponse.RefuseMethodAsync(http, "GET"),
            _ => ErrorResponse.WriteAsync(http, RegistryError.PathUnknown, "The path is not part of the administration's API."),
        };
    }

    private IOperationsGrain Operations => grains.GetGrain<IOperationsGrain>(0);

    private async Task StartAsync(HttpContext http)
    {
        using var body = new RequestBody(http, uploadOptions.Value.IdleTimeout, time);
        if (!http.Request.HasJsonContentType() || await body.ReadWholeAsync(MaxRequest) is not { } document)
        {
            await RefuseAsync(http, "The body has to be a JSON object of at most 64 KiB, with Content-Type: application/json.");
            return;
        }

        var asked = OperationJson.ReadStart(document);
        if (asked.FindFault() is { } wrong)
        {
            await RefuseAsync(http, wrong);
            return;
        }

        var started = await Operations.Start(asked.ToRequest(), http.RequestAborted);
        if (!started.IsNew)
        {
            var id = started.Operation.Id;
            await ErrorResponse.WriteAsync(http, RegistryError.OperationInTheWay, detail: json => json.WriteString("id", id));
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
                var kinds = string.Join(", ", Enum.GetNames<OperationKind>()).ToLowerInvariant();
                await RefuseAsync(http, $"kind has to be one of {kinds}.");
                return;
            }

            kind = parsed;
        }

        var asked = http.Request.Query["limit"];
        var hasLimit = int.TryParse(asked, NumberStyles.None, CultureInfo.InvariantCulture, out var number);
        var limit = hasLimit ? Math.Min(number, MaxList) : MaxList;
        await WriteAsync(http, OperationJson.Of(await Operations.List(kind, limit, http.RequestAborted)));
    }

    private async Task ExplainAsync(HttpContext http)
    {
        // digest is the former name of the parameter reference.
        var query = http.Request.Query;
        if (!RepositoryName.TryParse(query["repository"].ToString(), out var repository)
            || !Reference.TryParse(query["reference"] is [{ } text] ? text : query["digest"].ToString(), out var reference))
        {
            await RefuseAsync(
                http,
                "repository has to be a repository's name, such as library/app, and reference a tag or a digest (sha256: or sha512: and " +
                "its hexadecimal digits).");
            return;
        }

        if (await FindDigestAsync(repository, reference) is not { } digest)
        {
            await ErrorResponse.WriteAsync(http, RegistryError.ManifestUnknown, $"Unknown: {repository} has no tag {reference}.");
            return;
        }

        var here = await grains.GetGrain<IRepositoryMaintenanceGrain>(repository.Value).Explain(digest, http.RequestAborted);
        var blob = await grains.GetGrain<IBlobShardGrain>(digest.FirstByte).Find(digest, http.RequestAborted);
        var isKnown = here.Pushed is not null || here.BlobSize is not null;
        var explanation = new Explanation(repository, digest, isKnown, here, blob, ExplanationText.Of(repository, digest, here, blob));
        await WriteAsync(http, JsonSerializer.SerializeToUtf8Bytes(explanation, ExplanationJson.Options));
    }

    private async ValueTask<Digest?> FindDigestAsync(RepositoryName repository, Reference reference) => reference switch
    {
        Reference.ByDigest { Digest: var digest } => digest,
        Reference.ByTag { Tag: var tag } => (await repositories.FindTaggedAsync(repository, tag, withBody: false))?.Digest,
        _ => null,
    };

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

    private static Task RefuseAsync(HttpContext http, string reason) =>
        ErrorResponse.WriteAsync(http, RegistryError.AdminRequestInvalid, reason);

    private static Task WriteAsync(HttpContext http, ReadOnlyMemory<byte> document)
    {
        http.Response.Headers.CacheControl = "no-store";
        return JsonResponse.SendAsync(http, JsonResponse.ContentType, document);
    }

    [LoggerMessage(2201, LogLevel.Error, "{Method} {Path} got an error as its answer, because storage or grains failed: {Reason}")]
    private static partial void LogUnavailable(ILogger logger, string method, PathString path, string reason);
}
