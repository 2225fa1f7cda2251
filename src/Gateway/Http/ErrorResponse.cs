using System.Text.Json;
using Granary.Grains.Interfaces;
using Granary.Protocol;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Http;

/// <summary>The only place that writes an error (OCI distribution specification, "Error Codes").</summary>
public static class ErrorResponse
{
    // Long enough for a silo to take over or a queue to empty, short enough for a person who waits.
    private const string RetryAfterSeconds = "2";

    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web) { Encoder = JsonResponse.Encoder };

    /// <summary>What a fault of the metadata's storage is to a client.</summary>
    internal static RegistryError Of(PartitionFault fault) => fault switch
    {
        PartitionFault.Full => RegistryError.StorageFull,
        PartitionFault.ReadOnly => RegistryError.StorageReadOnly,
        PartitionFault.Damaged => RegistryError.Internal,
        _ => RegistryError.Unavailable,
    };

    /// <summary>Writes one error. Headers that the caller has set stay. HEAD gets no body.</summary>
    /// <param name="http">The connection; nothing was written to it yet.</param>
    /// <param name="error">The code, the status and the default message.</param>
    /// <param name="message">A message that knows more; null for the default.</param>
    /// <param name="detail">What the error is about, as JSON; null for none.</param>
    public static Task WriteAsync(HttpContext http, RegistryError error, string? message = null, object? detail = null) =>
        WriteAsync(http, error, [(message ?? error.Message, detail)]);

    /// <summary>Writes several errors of one status, such as one for each missing digest.</summary>
    public static Task WriteAsync(HttpContext http, RegistryError error, IEnumerable<(string Message, object? Detail)> entries)
    {
        var response = http.Response;
        response.StatusCode = error.Status;
        if (error.Status is 429 or 503 or 507)
        {
            response.Headers.RetryAfter = RetryAfterSeconds;
        }

        var body = JsonSerializer.SerializeToUtf8Bytes(new ErrorBody([.. entries.Select(entry => new ErrorEntry(error.Code, entry.Message, entry.Detail))]), Options);
        response.ContentType = JsonResponse.ContentType;
        response.ContentLength = body.Length;
        return HttpMethods.IsHead(http.Request.Method) ? Task.CompletedTask : response.Body.WriteAsync(body, http.RequestAborted).AsTask();
    }

    private sealed record ErrorBody(ErrorEntry[] Errors);

    private sealed record ErrorEntry(string Code, string Message, object? Detail);
}
