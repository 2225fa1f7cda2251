using System.Diagnostics.CodeAnalysis;
using Granary.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Granary.Gateway.Uploads;

/// <summary>What the headers of a request say about its bytes (OCI distribution specification, "Pushing a blob in chunks").</summary>
/// <param name="Offset">The offset of the first byte; null if the bytes are appended at the session's end.</param>
/// <param name="Length">The number of bytes; null if the client did not announce it.</param>
internal readonly record struct UploadChunk(long? Offset, long? Length)
{
    /// <summary>The most bytes that the body may have.</summary>
    public long MaxBytes => Length ?? long.MaxValue;

    /// <summary>Reads <c>Content-Range</c> and <c>Content-Length</c>. Returns false if they are malformed or disagree.</summary>
    public static bool TryParse(HttpContext http, out UploadChunk chunk, [NotNullWhen(false)] out RegistryError? error)
    {
        var length = http.Request.ContentLength;
        (chunk, error) = (new UploadChunk(Offset: null, length), null);
        var header = http.Request.Headers.ContentRange;
        if (StringValues.IsNullOrEmpty(header))
        {
            return true;
        }

        if (!ByteRange.TryParseContentRange(header.ToString(), out var range))
        {
            error = RegistryError.UploadRangeMalformed;
            return false;
        }

        chunk = new UploadChunk(range.Offset, range.Length);
        error = length is { } announced && announced != range.Length ? RegistryError.SizeInvalid : null;
        return error is null;
    }

    /// <summary>Returns whether a body has the length that the client announced, or the client announced none.</summary>
    public bool IsAnnouncedLength(long length) => Length is not { } announced || announced == length;
}
