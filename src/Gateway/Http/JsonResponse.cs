using System.Buffers;
using System.Text.Json;

namespace Granary.Gateway.Http;

/// <summary>Answers with a JSON document of known length.</summary>
internal static class JsonResponse
{
    public const string ContentType = "application/json";

    /// <summary>Writes the document that <paramref name="write"/> makes. HEAD gets its headers.</summary>
    public static async Task WriteAsync(RegistryRequest request, string contentType, Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        await using (var json = new Utf8JsonWriter(buffer))
        {
            write(json);
        }

        request.Http.Response.ContentType = contentType;
        request.Http.Response.ContentLength = buffer.WrittenCount;
        if (!request.IsHead)
        {
            await request.Http.Response.Body.WriteAsync(buffer.WrittenMemory, request.Aborted);
        }
    }
}
