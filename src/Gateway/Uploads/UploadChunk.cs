using Granary.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Primitives;

namespace Granary.Gateway.Uploads;

/// <summary>What a request says about the bytes that it brings (OCI distribution specification, "Pushing a blob in chunks").</summary>
/// <param name="Offset">Where they start; null: wherever the session ends.</param>
/// <param name="Length">How many there are; null if nobody knows yet.</param>
internal readonly record struct UploadChunk(long? Offset, long? Length)
{
    /// <summary>What to accept at most.</summary>
    public long MaxBytes => Length ?? long.MaxValue;

    /// <summary>Reads <c>Content-Range</c> and <c>Content-Length</c>; what is wrong with them, or null.</summary>
    public static RegistryError? TryParse(HttpContext http, out UploadChunk chunk)
    {
        var length = http.Request.ContentLength;
        chunk = new UploadChunk(Offset: null, length);
        var header = http.Request.Headers.ContentRange;
        if (StringValues.IsNullOrEmpty(header))
        {
            return null;
        }

        if (!ByteRange.TryParseContentRange(header.ToString(), out var range))
        {
            return RegistryError.UploadRangeMalformed;
        }

        chunk = new UploadChunk(range.Offset, range.Length);
        return length is { } announced && announced != range.Length ? RegistryError.SizeInvalid : null;
    }
}
