using Granary.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace Granary.Gateway.Http;

/// <summary>
/// Bounds the requests that are handled at once. A request that arrives when the bound is reached gets 429 at once: waiting would only move
/// the queue into memory.
/// </summary>
public sealed class RequestGate(IOptions<LimitOptions> options)
{
    private readonly int _limit = options.Value.Requests;
    private int _inside;

    /// <summary>Returns how many requests are handled at the moment.</summary>
    public int Running => Volatile.Read(ref _inside);

    /// <summary>Handles a request, or refuses it if there are too many.</summary>
    public async Task PassAsync(HttpContext http, Func<HttpContext, Task> handle)
    {
        // On every answer: old clients know a registry by it.
        http.Response.Headers["Docker-Distribution-Api-Version"] = "registry/2.0";
        if (Interlocked.Increment(ref _inside) > _limit)
        {
            Interlocked.Decrement(ref _inside);
            await ErrorResponse.WriteAsync(http, RegistryError.TooManyRequests);
            return;
        }

        try
        {
            await handle(http);
        }
        finally
        {
            Interlocked.Decrement(ref _inside);
        }
    }
}
