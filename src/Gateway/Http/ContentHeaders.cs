using Granary.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Granary.Gateway.Http;

/// <summary>Sets and checks the headers of content that a digest names.</summary>
internal static class ContentHeaders
{
    public const string DockerContentDigest = "Docker-Content-Digest";

    private const int NotModified = 304;

    /// <summary>Sets the digest header, and the digest as entity tag.</summary>
    public static void SetDigest(HttpContext http, Digest digest)
    {
        http.Response.Headers[DockerContentDigest] = digest.Value;
        http.Response.Headers.ETag = $"\"{digest.Value}\"";
    }

    /// <summary>Answers 304 and returns true if the client has the content already (RFC 9110, section 13.1.2).</summary>
    public static bool IsNotModified(HttpContext http, Digest digest)
    {
        var header = http.Request.Headers.IfNoneMatch;
        if (StringValues.IsNullOrEmpty(header)
            || !EntityTags.TryParse(header.ToString(), out var tags)
            || !tags.Contains(digest))
        {
            return false;
        }

        http.Response.StatusCode = NotModified;
        return true;
    }
}
