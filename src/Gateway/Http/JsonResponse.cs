using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using Granary.Gateway.Transfer;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Http;

/// <summary>Answers with JSON documents whose length is known.</summary>
internal static class JsonResponse
{
    public const string ContentType = "application/json";

    /// <summary>Escapes only what JSON requires: these documents are never part of HTML.</summary>
    public static readonly JavaScriptEncoder Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    /// <summary>Writes the document that <paramref name="write"/> makes. The answer to HEAD has its headers only.</summary>
    public static async Task WriteAsync(RegistryRequest request, string contentType, Action<Utf8JsonWriter> write)
    {
        using var document = new PooledDocument();
        Write(document, write);
        var response = request.Http.Response;
        response.ContentType = contentType;
        response.ContentLength = document.Length;
        foreach (var piece in document.Pieces)
        {
            await AnswerBody.SendAsync(request.Http, piece);
        }
    }

    /// <summary>Sends a document with the status that is set. The answer to HEAD has its headers only.</summary>
    public static Task SendAsync(HttpContext http, string contentType, ReadOnlyMemory<byte> document)
    {
        http.Response.ContentType = contentType;
        http.Response.ContentLength = document.Length;
        return AnswerBody.SendAsync(http, document);
    }

    /// <summary>Returns the document that <paramref name="write"/> makes.</summary>
    public static ReadOnlyMemory<byte> Document(Action<Utf8JsonWriter> write)
    {
        var buffer = new ArrayBufferWriter<byte>(4096);
        Write(buffer, write);
        return buffer.WrittenMemory;
    }

    private static void Write(IBufferWriter<byte> buffer, Action<Utf8JsonWriter> write)
    {
        using var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = Encoder });
        write(json);
    }
}
