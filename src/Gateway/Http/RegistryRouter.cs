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
/// Takes every request below <c>/v2</c>: reads its raw path, finds its line of <see cref="Routes"/>, checks the name, and turns faults into answers. A client's
/// mistake never gets past the endpoint as an exception; what arrives here is a fault of the storage, of the cluster, of the connection, or a defect.
/// </summary>
internal sealed partial class RegistryRouter
{
    private readonly FrozenDictionary<Resource, Line[]> _lines;
    private readonly Locations _locations;
    private readonly ILogger<RegistryRouter> _logger;

    public RegistryRouter(IServiceProvider services, Locations locations, ILogger<RegistryRouter> logger)
    {
        (_locations, _logger) = (locations, logger);
        _lines = Routes.All
            .GroupBy(route => route.Resource)
            .ToFrozenDictionary(
                group => group.Key,
                group => group.Select(route => new Line(route.Method, (IRegistryEndpoint)services.GetRequiredService(route.Endpoint))).ToArray());
    }

    public async Task HandleAsync(HttpContext http)
    {
        try
        {
            await RouteAsync(http);
        }
        catch (Exception e) when (!http.Response.HasStarted && Explain(http, e) is { } answer)
        {
            // What an endpoint had prepared is not what this answer says.
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
            // Half an answer must not look like a whole one.
            LogBroken(e, http.Request.Method, http.Request.Path);
            RequestTraffic.Of(http)?.Break(BreakOff.Fault);
            http.Abort();
        }
    }

    private static readonly string[] PreparedHeaders = ["Content-Length", "Content-Range", "Content-Type", "Cache-Control", "ETag", "Location", "Range", "Link", ContentHeaders.DockerContentDigest];

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
            await ErrorResponse.WriteAsync(http, RegistryError.NameInvalid, detail: json => json.WriteString("name", Shorten(path.Name)));
            return;
        }

        var lines = _lines[path.Resource];
        foreach (var line in lines)
        {
            // Case-sensitive (RFC 9110, section 9.1): what is not HEAD gets a body, and "head" is not HEAD.
            if (line.Method == http.Request.Method)
            {
                await line.Endpoint.HandleAsync(new RegistryRequest(http, repository, path.Item, _locations));
                return;
            }
        }

        await ErrorResponse.RefuseMethodAsync(http, lines.Select(line => line.Method));
    }

    /// <summary>What to answer for a fault; null if there is nobody to answer.</summary>
    private (RegistryError Error, string? Message)? Explain(HttpContext http, Exception exception)
    {
        switch (exception)
        {
            case BadHttpRequestException { StatusCode: 413 }:
                return (RegistryError.TooLarge, null);

            case Transfer.BrokenBodyException { InnerException: BadHttpRequestException bad } when !http.RequestAborted.IsCancellationRequested:
                return (RegistryError.RequestMalformed with { Status = bad.StatusCode }, bad.Message);

            case BadHttpRequestException bad when !http.RequestAborted.IsCancellationRequested:
                return (RegistryError.RequestMalformed with { Status = bad.StatusCode }, bad.Message);

            case PartitionUnavailableException { Fault: var fault }:
                LogUnavailable(http.Request.Method, http.Request.Path, exception.Message);
                return (ErrorResponse.Of(fault), null);

            case OutOfSpaceException:
                // Not an error line each: the log says once that pushes are refused (SpaceLog).
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
        || exception is ConnectionResetException or ConnectionAbortedException or BadHttpRequestException or Transfer.BrokenBodyException;

    private static string Shorten(string text) => text.Length <= 300 ? text : text[..300] + "…";

    [LoggerMessage(2001, LogLevel.Error, "{Method} {Path} failed for a reason that should not exist; please report it")]
    private partial void LogDefect(Exception exception, string method, PathString path);

    [LoggerMessage(2002, LogLevel.Error, "{Method} {Path} was refused, and the client told to try again: {Reason}")]
    private partial void LogUnavailable(string method, PathString path, string reason);

    [LoggerMessage(2003, LogLevel.Debug, "{Method} {Path}: the client went away: {Reason}")]
    private partial void LogClientGone(string method, PathString path, string reason);

    [LoggerMessage(2004, LogLevel.Error, "{Method} {Path} broke off in the middle of its answer")]
    private partial void LogBroken(Exception exception, string method, PathString path);

    private sealed record Line(string Method, IRegistryEndpoint Endpoint);
}
