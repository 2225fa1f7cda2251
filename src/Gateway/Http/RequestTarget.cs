using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Granary.Gateway.Http;

/// <summary>Reads the raw target of a request, as the client sent it.</summary>
public static class RequestTarget
{
    /// <summary>Returns the path, neither decoded nor normalized, without scheme, host and query.</summary>
    public static ReadOnlySpan<char> RawPath(HttpContext http)
    {
        var target = (http.Features.Get<IHttpRequestFeature>()?.RawTarget ?? "").AsSpan();
        if (!target.StartsWith('/') && target.IndexOf("://", StringComparison.Ordinal) is > 0 and var scheme)
        {
            // The absolute form, as clients send it to a proxy (RFC 9112, section 3.2.2).
            var path = target[(scheme + 3)..].IndexOf('/');
            target = path < 0 ? "/" : target[(scheme + 3 + path)..];
        }

        var query = target.IndexOf('?');
        return query < 0 ? target : target[..query];
    }
}
