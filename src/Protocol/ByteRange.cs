namespace Granary.Protocol;

/// <summary>A piece of some content: <paramref name="Offset"/> from its start, <paramref name="Length"/> bytes, at least one.</summary>
/// <param name="Offset">Bytes from the start of the content.</param>
/// <param name="Length">How many bytes.</param>
public readonly record struct ByteRange(long Offset, long Length)
{
    /// <summary>The position of the last byte, as HTTP writes ranges.</summary>
    public long Last => Offset + Length - 1;

    /// <summary>
    /// The ranges that a <c>Range</c> header selects of content that has <paramref name="size"/> bytes (RFC 9110, section 14).
    /// Null: no usable header (another unit, malformed): serve the whole. Empty: nothing satisfiable: 416.
    /// </summary>
    /// <param name="header">The header, such as <c>bytes=0-99,200-</c>.</param>
    /// <param name="size">The size of the content, in bytes.</param>
    /// <param name="maxRanges">More ranges than this, after joining those that touch, and the header is not usable.</param>
    public static IReadOnlyList<ByteRange>? ParseRangeHeader(string? header, long size, int maxRanges = 100) =>
        throw new NotSupportedException(header + size + maxRanges);

    /// <summary>
    /// Parses the <c>Content-Range</c> of a chunk: <c>start-end</c>, both inclusive (OCI distribution specification, "Pushing a blob in chunks");
    /// the HTTP form <c>bytes start-end/total</c> is accepted too.
    /// </summary>
    public static bool TryParseContentRange(string text, out ByteRange range)
    {
        range = default;
        throw new NotSupportedException(text);
    }
}
