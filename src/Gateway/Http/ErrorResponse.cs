using System.Text.Json;
using Granary.Grains.Interfaces;
using Granary.Protocol;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Http;

/// <summary>Writes errors; no other place does (OCI distribution specification, "Error Codes").</summary>
public static class ErrorResponse
{
    // The gateway has repeated the call for as long as another silo takes to take over. A queue that was too long is empty by then.
    private const string RetryAfterSeconds = "1";

    /// <summary>Returns the error that a client gets for a fault of the metadata storage.</summary>
    internal static RegistryError Of(PartitionFault fault) => fault switch
    {
        PartitionFault.Full => RegistryError.StorageFull,
        PartitionFault.ReadOnly => RegistryError.StorageReadOnly,
        PartitionFault.Damaged => RegistryError.Internal,
        _ => RegistryError.Unavailable,
    };

    /// <summary>Writes one error. Headers that the caller has set stay. The answer to HEAD has no body.</summary>
    /// <param name="http">The exchange. Its answer must not have started.</param>
    /// <param name="error">The code, the status and the default message.</param>
    /// <param name="message">A more precise message; null for the default.</param>
    /// <param name="detail">Writes the members of <c>detail</c>; null for none.</param>
    public static Task WriteAsync(HttpContext http, RegistryError error, string? message = null, Action<Utf8JsonWriter>? detail = null) =>
        WriteAsync(http, error, [new ErrorEntry(message ?? error.Message, detail)]);

    /// <summary>Writes several errors of one kind, such as one for each missing digest.</summary>
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

    /// <summary>Refuses a method that the path does not support.</summary>
    /// <param name="http">The exchange.</param>
    /// <param name="allowed">The methods that the path supports, for <c>Allow</c>.</param>
    public static Task RefuseMethodAsync(HttpContext http, params IEnumerable<string> allowed)
    {
        http.Response.Headers.Allow = string.Join(", ", allowed);
        return WriteAsync(http, RegistryError.MethodNotAllowed);
    }

    /// <summary>Answers that a tag does not meet the condition of the request.</summary>
    /// <param name="http">The exchange.</param>
    /// <param name="current">The manifest that the tag points at; null if there is no such tag.</param>
    internal static Task RefuseConditionAsync(HttpContext http, Digest? current)
    {
        if (current is { } now)
        {
            ContentHeaders.SetDigest(http, now);
        }

        return WriteAsync(http, RegistryError.ConditionFailed, detail: json => json.WriteString("current", current?.Value));
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

/// <summary>One error of an answer.</summary>
/// <param name="Message">What happened, why, and what to do.</param>
/// <param name="Detail">Writes the members of <c>detail</c>; null for none.</param>
public sealed record ErrorEntry(string Message, Action<Utf8JsonWriter>? Detail);
