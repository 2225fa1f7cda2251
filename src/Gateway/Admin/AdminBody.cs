using Granary.Gateway.Transfer;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace Granary.Gateway.Admin;

/// <summary>Reads the bodies of requests to the administration's API.</summary>
internal sealed class AdminBody(IOptions<UploadOptions> options, TimeProvider time)
{
    private const int MaxLength = 64 * 1024;

    /// <summary>
    /// Returns the body. Returns null, and has refused the request, if the body is too long or the request does not call it JSON. The
    /// caller parses it; <see cref="AdminApi"/> answers a <see cref="System.Text.Json.JsonException"/>.
    /// </summary>
    public async Task<byte[]?> ReadAsync(HttpContext http)
    {
        using var body = new RequestBody(http, options.Value.IdleTimeout, time);
        if (http.Request.HasJsonContentType() && await body.ReadWholeAsync(MaxLength) is { } document)
        {
            return document;
        }

        await AdminAnswers.RefuseAsync(
            http,
            "The body has to be a JSON object of at most 64 KiB, with Content-Type: application/json.");
        return null;
    }
}
