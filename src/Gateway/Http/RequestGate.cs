using Granary.Grains.Interfaces;
using Granary.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace Granary.Gateway.Http;

/// <summary>
/// Bounds the requests that are handled at once. A request beyond the bound gets 429 at once: a queue of waiting requests would only take
/// memory.
/// </summary>
public sealed class RequestGate(IOptions<LimitOptions> options, IClientActivity? clients = null)
{
    private readonly int _limit = options.Value.Requests;

    // Deletions and cancellations end uploads and free the disk that other requests wait for. Places of their own let them through when
    // the others fill the gate.
    private readonly int _limitOfDeletions = options.Value.Requests + Math.Max(options.Value.Requests / 10, 4);
    private int _inside;

    /// <summary>The number of requests that are handled now.</summary>
    public int Running => Volatile.Read(ref _inside);

    /// <summary>Handles a request, or refuses it if the bound is reached.</summary>
    public async Task PassAsync(HttpContext http, Func<HttpContext, Task> handle)
    {
        // On every answer: old clients recognize a registry by this header.
        http.Response.Headers["Docker-Distribution-Api-Version"] = "registry/2.0";
        var inside = Interlocked.Increment(ref _inside);
        if (inside > _limit && (inside > _limitOfDeletions || http.Request.Method != HttpMethods.Delete))
        {
            Interlocked.Decrement(ref _inside);
            await ErrorResponse.WriteAsync(http, RegistryError.TooManyRequests);
            return;
        }

        // Background work of this silo gives way to clients.
        clients?.NoteRequest();
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
