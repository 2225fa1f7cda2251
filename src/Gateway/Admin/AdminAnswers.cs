using Granary.Gateway.Http;
using Granary.Protocol;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Admin;

/// <summary>The answers that all parts of the administration's API share.</summary>
internal static class AdminAnswers
{
    /// <summary>Answers 400: the request is malformed.</summary>
    public static Task RefuseAsync(HttpContext http, string reason) =>
        ErrorResponse.WriteAsync(http, RegistryError.AdminRequestInvalid, reason);

    /// <summary>Sends a document that no cache keeps.</summary>
    public static Task WriteAsync(HttpContext http, ReadOnlyMemory<byte> document)
    {
        http.Response.Headers.CacheControl = "no-store";
        return JsonResponse.SendAsync(http, JsonResponse.ContentType, document);
    }
}
