using System.Text.Json;
using Granary.Gateway.Http;
using Granary.Gateway.Transfer;
using Granary.Grains.Interfaces;
using Granary.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Granary.Gateway.Admin;

/// <summary>
/// The administration's API: who may use it, which part answers a path, and the answers to faults. It answers requests that have the token
/// of the data directory and come from the server's own machine (<see cref="AdminAccess"/>).
/// <code>
/// POST   /granary/v1/operations                            starts an operation: {"kind":"collection","dryRun":true,"grace":"1h"}
/// GET    /granary/v1/operations?kind=collection&amp;limit=1   lists the newest operations
/// GET    /granary/v1/operations/&lt;id&gt;                       returns an operation with its progress
/// DELETE /granary/v1/operations/&lt;id&gt;                       cancels an operation
/// GET    /granary/v1/explain?repository=…&amp;reference=…       explains why a manifest or a blob is kept, or when it is deleted
/// GET    /granary/v1/repositories/&lt;name&gt;/-/history?tag=…     returns the moves of a tag, the newest first
/// POST   /granary/v1/repositories/&lt;name&gt;/-/tags/&lt;tag&gt;/undo  points a tag at a manifest that it pointed at before
/// </code>
/// </summary>
internal sealed partial class AdminApi(
    AdminAccess access,
    OperationsApi operations,
    ExplainApi explanations,
    HistoryApi history,
    IOptions<AdminOptions> options,
    ILogger<AdminApi> logger)
{
    public const string Prefix = "/granary";

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
            await AdminAnswers.RefuseAsync(http, $"The body cannot be read: {e.Message}");
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
        if (RepositoryPath.TryParse(http.Request.Path.Value ?? "", out var path))
        {
            return RouteAsync(http, path);
        }

        var parts = (http.Request.Path.Value ?? "").Split('/', StringSplitOptions.RemoveEmptyEntries);
        return (http.Request.Method, parts) switch
        {
            ("POST", [_, "v1", "operations"]) => operations.StartAsync(http),
            ("GET", [_, "v1", "operations"]) => operations.ListAsync(http),
            ("GET", [_, "v1", "operations", var id]) => operations.FindAsync(http, id),
            ("DELETE", [_, "v1", "operations", var id]) => operations.CancelAsync(http, id),
            ("GET", [_, "v1", "explain"]) => explanations.ExplainAsync(http),
            (_, [_, "v1", "operations"]) => ErrorResponse.RefuseMethodAsync(http, "POST", "GET"),
            (_, [_, "v1", "operations", _]) => ErrorResponse.RefuseMethodAsync(http, "GET", "DELETE"),
            (_, [_, "v1", "explain"]) => ErrorResponse.RefuseMethodAsync(http, "GET"),
            _ => RefusePathAsync(http),
        };
    }

    private Task RouteAsync(HttpContext http, RepositoryPath path) => (http.Request.Method, path.Segments) switch
    {
        ("GET", ["history"]) => history.ReadAsync(http, path.Name),
        ("POST", ["tags", var tag, "undo"]) => history.UndoAsync(http, path.Name, tag),
        (_, ["history"]) => ErrorResponse.RefuseMethodAsync(http, "GET"),
        (_, ["tags", _, "undo"]) => ErrorResponse.RefuseMethodAsync(http, "POST"),
        _ => RefusePathAsync(http),
    };

    private static Task RefusePathAsync(HttpContext http) =>
        ErrorResponse.WriteAsync(http, RegistryError.PathUnknown, "The path is not part of the administration's API.");

    [LoggerMessage(2201, LogLevel.Error, "{Method} {Path} got an error as its answer, because storage or grains failed: {Reason}")]
    private static partial void LogUnavailable(ILogger logger, string method, PathString path, string reason);
}
