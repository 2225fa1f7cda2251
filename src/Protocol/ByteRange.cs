using System.Globalization;

namespace Granary.Protocol;

/// <summary>A range of bytes of some content. It has at least one byte.</summary>
/// <param name="Offset">Bytes from the start of the content.</param>
/// <param name="Length">How many bytes.</param>
public readonly record struct ByteRange(long Offset, long Length)
{
    private const string Unit = "bytes";

    /// <summary>The position of the last byte, as HTTP writes ranges.</summary>
    public long Last => Offset + Length - 1;

    /// <summary>
    /// Returns the ranges that a <c>Range</c> header selects of content of <paramref name="size"/> bytes (RFC 9110, section 14).
    /// Returns null if the header cannot be used (another unit, malformed): the answer is the whole content. Returns an empty list if no
    /// range can be satisfied: the answer is 416.
    /// </summary>
    /// <param name="header">The header, such as <c>bytes=0-99,200-</c>.</param>
    /// <param name="size">The size of the content, in bytes.</param>
    /// <param name="maxRanges">A header with more ranges cannot be used. Ranges that touch count as one.</param>
    public static IReadOnlyList<ByteRange>? ParseRangeHeader(string? header, long size, int maxRanges = 100)
    {
        var equals = header?.IndexOf('=', StringComparison.Ordinal) ?? -1;
        if (equals < 0 || !header.AsSpan(0, equals).Trim().Equals(Unit, StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        var ranges = new List<ByteRange>();
        var isAnyNamed = false;
        foreach (var part in header![(equals + 1)..].Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            isAnyNamed = true;
            if (!TryResolve(part, size, out var range))
            {
                return null;
            }

            if (range is { } satisfiable)
            {
                Add(ranges, satisfiable);
            }
        }

        return isAnyNamed && ranges.Count <= maxRanges ? ranges : null;
    }

    /// <summary>
    /// Parses the <c>Content-Range</c> of a chunk: <c>start-end</c>, both inclusive (OCI distribution specification, "Pushing a blob in
    /// chunks"). Accepts the HTTP form <c>bytes start-end/total</c> too.
    /// </summary>
    public static bool TryParseContentRange(string text, out ByteRange range)
    {
        range = default;
        var rest = text.AsSpan().Trim();
        if (rest.StartsWith(Unit, StringComparison.OrdinalIgnoreCase) && rest.Length > Unit.Length && rest[Unit.Length] is ' ' or '=')
        {
            rest = rest[(Unit.Length + 1)..].Trim();
        }

        if (rest.IndexOf('/') is >= 0 and var slash)
        {
            var total = rest[(slash + 1)..];
            if (total is not "*" && !TryNumber(total, out _))
            {
                return false;
            }

            rest = rest[..slash];
        }

        var dash = rest.IndexOf('-');
        if (dash < 0
            || !TryNumber(rest[..dash], out var first)
            || !TryNumber(rest[(dash + 1)..], out var last)
            || last < first
            || last == long.MaxValue)
        {
            return false;
        }

        range = new ByteRange(first, last - first + 1);
        return true;
    }

    /// <summary>Parses one range of a header; null if it selects no byte. Returns false if it is malformed.</summary>
    private static bool TryResolve(string part, long size, out ByteRange? range)
    {
        range = null;
        var dash = part.IndexOf('-', StringComparison.Ordinal);
        if (dash < 0)
        {
            return false;
        }

        var first = part.AsSpan(0, dash).Trim();
        var last = part.AsSpan(dash + 1).Trim();
        if (first.IsEmpty)
        {
            // A suffix: the last bytes of the content.
            if (!TryClamped(last, out var count))
            {
                return false;
            }

            var taken = Math.Min(count, size);
            range = taken > 0 ? new ByteRange(size - taken, taken) : null;
            return true;
        }

        var end = long.MaxValue;
        if (!TryClamped(first, out var start) || (!last.IsEmpty && !TryClamped(last, out end)))
        {
            return false;
        }

        if (start < size && end >= start)
        {
            range = new ByteRange(start, Math.Min(end, size - 1) - start + 1);
        }

        return true;
    }

    /// <summary>Joins a range with the one before it if they touch, so that no byte is sent twice.</summary>
    private static void Add(List<ByteRange> ranges, ByteRange range)
    {
        if (ranges.Count > 0 && ranges[^1] is var before && range.Offset <= before.Last + 1 && before.Offset <= range.Last + 1)
        {
            var offset = Math.Min(before.Offset, range.Offset);
            ranges[^1] = new ByteRange(offset, Math.Max(before.Last, range.Last) - offset + 1);
        }
        else
        {
            ranges.Add(range);
        }
    }

    private static bool TryNumber(ReadOnlySpan<char> text, out long number) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);

    /// <summary>Parses a number of any length. A number that exceeds <see cref="long"/> becomes its largest value.</summary>
    private static bool TryClamped(ReadOnlySpan<char> text, out long number)
    {
        number = 0;
        if (text.IsEmpty || text.ContainsAnyExceptInRange('0', '9'))
        {
            return false;
        }

        if (!TryNumber(text, out number))
        {
            number = long.MaxValue;
        }

        return true;
    }
}
