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
    /// <param name="detail">Writes the members of what the error is about; null for none.</param>
    public static Task WriteAsync(HttpContext http, RegistryError error, string? message = null, Action<Utf8JsonWriter>? detail = null) =>
        WriteAsync(http, error, [new ErrorEntry(message ?? error.Message, detail)]);

    /// <summary>Writes several errors of one status, such as one for each missing digest.</summary>
    public static Task WriteAsync(HttpContext http, RegistryError error, IEnumerable<ErrorEntry> entries)
    {
        var response = http.Response;
        response.StatusCode = error.Status;
        if (error.Status is 429 or 503 or 507)
        {
            response.Headers.RetryAfter = RetryAfterSeconds;
        }

        return JsonResponse.SendAsync(http, JsonResponse.ContentType, JsonResponse.Document(json => Write(json, error.Code, entries)));
    }

    /// <summary>Answers a method that the path does not have.</summary>
    /// <param name="http">The exchange.</param>
    /// <param name="allowed">The methods that it has, for <c>Allow</c>.</param>
    public static Task RefuseMethodAsync(HttpContext http, params IEnumerable<string> allowed)
    {
        http.Response.Headers.Allow = string.Join(", ", allowed);
        return WriteAsync(http, RegistryError.MethodNotAllowed);
    }

    private static void Write(Utf8JsonWriter json, string code, IEnumerable<ErrorEntry> entries)
    {
        json.WriteStartObject();
        json.WriteStartArray("errors");
        foreach (var entry in entries)
        {
            json.WriteStartObject();
            json.WriteString("code", code);
            json.WriteString("message", entry.Message);
            if (entry.Detail is { } detail)
            {
                json.WriteStartObject("detail");
                detail(json);
                json.WriteEndObject();
            }
            else
            {
                json.WriteNull("detail");
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}

/// <summary>An error among several.</summary>
/// <param name="Message">What is wrong, for people.</param>
/// <param name="Detail">Writes the members of what it is about; null for none.</param>
public sealed record ErrorEntry(string Message, Action<Utf8JsonWriter>? Detail);
