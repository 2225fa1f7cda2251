using System.Collections.Frozen;
using Granary.Gateway.Transfer;
using Granary.Grains.Interfaces;
using Granary.Protocol;
using Granary.Storage;
using Granary.Storage.Space;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Granary.Gateway.Http;

/// <summary>
/// Handles every request below <c>/v2</c>: parses the raw path, checks the name, calls the endpoint that <see cref="Routes"/> names, and
/// turns exceptions into answers. Endpoints answer the mistakes of clients themselves. An exception is a fault of the storage, the cluster
/// or the connection, or a bug.
/// </summary>
internal sealed partial class RegistryRouter
{
    private static readonly string[] PreparedHeaders =
    [
        "Content-Length", "Content-Range", "Content-Type", "Cache-Control", "ETag", "Location", "Range", "Link",
        ContentHeaders.DockerContentDigest,
    ];

    private readonly FrozenDictionary<Resource, Operation[]> _operations;
    private readonly Locations _locations;
    private readonly ILogger<RegistryRouter> _logger;

    public RegistryRouter(IServiceProvider services, Locations locations, ILogger<RegistryRouter> logger)
    {
        (_locations, _logger) = (locations, logger);
        _operations = Routes.All
            .GroupBy(route => route.Resource)
            .ToFrozenDictionary(
                group => group.Key,
                group => group.Select(route => new Operation(route.Method, Endpoint(services, route))).ToArray());
    }

    public async Task HandleAsync(HttpContext http)
    {
        try
        {
            await RouteAsync(http);
        }
        catch (Exception e) when (!http.Response.HasStarted && FindError(http, e) is { } answer)
        {
            // The endpoint prepared these headers for another answer.
            foreach (var header in PreparedHeaders)
            {
                http.Response.Headers.Remove(header);
            }

            await ErrorResponse.WriteAsync(http, answer.Error, answer.Message);
        }
        catch (Exception e) when (IsClientGone(http, e))
        {
            LogClientGone(http.Request.Method, http.Request.Path, e.Message);
            http.Abort();
        }
        catch (Exception e) when (http.Response.HasStarted)
        {
            // The client must not take a part of an answer for the whole.
            LogBroken(e, http.Request.Method, http.Request.Path);
            RequestTraffic.Of(http)?.MarkBroken(BreakOff.Fault);
            http.Abort();
        }
    }

    private async Task RouteAsync(HttpContext http)
    {
        if (!RegistryPath.TryParse(RequestTarget.RawPath(http), out var path))
        {
            await ErrorResponse.WriteAsync(http, RegistryError.PathUnknown);
            return;
        }

        RepositoryName repository = default;
        if ((path.Name.Length > 0 || path.Resource is not (Resource.Root or Resource.Catalog or Resource.Extensions))
            && !RepositoryName.TryParse(path.Name, out repository))
        {
            await ErrorResponse.WriteAsync(
                http,
                RegistryError.NameInvalid,
                detail: json => json.WriteString("name", Shorten(path.Name)));
            return;
        }

        var operations = _operations[path.Resource];
        foreach (var operation in operations)
        {
            // Methods are case-sensitive (RFC 9110, section 9.1): taken as HEAD, "head" got a body and the exchange failed.
            if (operation.Method == http.Request.Method)
            {
                await operation.Endpoint.HandleAsync(new RegistryRequest(http, repository, path.Item, _locations));
                return;
            }
        }

        await ErrorResponse.RefuseMethodAsync(http, operations.Select(operation => operation.Method));
    }

    private static IRegistryEndpoint Endpoint(IServiceProvider services, Route route) =>
        (IRegistryEndpoint)services.GetRequiredService(route.Endpoint);

    /// <summary>Returns the error that answers an exception; null if the client is gone.</summary>
    private (RegistryError Error, string? Message)? FindError(HttpContext http, Exception exception)
    {
        switch (exception)
        {
            case BadHttpRequestException { StatusCode: 413 }:
                return (RegistryError.TooLarge, null);

            case BrokenBodyException { InnerException: BadHttpRequestException bad } when !http.RequestAborted.IsCancellationRequested:
                return (RegistryError.RequestMalformed with { Status = bad.StatusCode }, bad.Message);

            case BadHttpRequestException bad when !http.RequestAborted.IsCancellationRequested:
                return (RegistryError.RequestMalformed with { Status = bad.StatusCode }, bad.Message);

            case PartitionUnavailableException { Fault: var fault }:
                LogUnavailable(http.Request.Method, http.Request.Path, exception.Message);
                return (ErrorResponse.Of(fault), null);

            case OutOfSpaceException:
                // No line in the log for each: SpaceLog says once that pushes are refused.
                return (RegistryError.StorageFull, exception.Message);

            case StorageException { Fault: var fault }:
                LogUnavailable(http.Request.Method, http.Request.Path, exception.Message);
                return (fault switch
                {
                    StorageFault.Full => RegistryError.StorageFull,
                    StorageFault.ReadOnly => RegistryError.StorageReadOnly,
                    StorageFault.Damaged => RegistryError.Internal,
                    _ => RegistryError.Unavailable,
                }, null);

            case var fault when GrainCalls.IsClusterFault(fault) || fault is TimeoutException:
                LogUnavailable(http.Request.Method, http.Request.Path, exception.Message);
                return (RegistryError.Unavailable, null);

            case var gone when IsClientGone(http, gone):
                return null;

            default:
                LogDefect(exception, http.Request.Method, http.Request.Path);
                return (RegistryError.Internal, null);
        }
    }

    private static bool IsClientGone(HttpContext http, Exception exception) =>
        http.RequestAborted.IsCancellationRequested
        || exception is ConnectionResetException or ConnectionAbortedException or BadHttpRequestException or BrokenBodyException;

    private static string Shorten(string text) => text.Length <= 300 ? text : text[..300] + "…";

    [LoggerMessage(2001, LogLevel.Error, "{Method} {Path}: unhandled exception; this is a bug, please report it")]
    private partial void LogDefect(Exception exception, string method, PathString path);

    [LoggerMessage(2002, LogLevel.Error, "{Method} {Path} failed because of the storage or the cluster; the client may try " +
        "again: {Reason}")]
    private partial void LogUnavailable(string method, PathString path, string reason);

    [LoggerMessage(2003, LogLevel.Debug, "{Method} {Path}: the client closed the connection: {Reason}")]
    private partial void LogClientGone(string method, PathString path, string reason);

    [LoggerMessage(2004, LogLevel.Error, "{Method} {Path} failed in the middle of its answer; the connection was closed, so that " +
        "the client does not take the part for the whole")]
    private partial void LogBroken(Exception exception, string method, PathString path);

    private sealed record Operation(string Method, IRegistryEndpoint Endpoint);
}
