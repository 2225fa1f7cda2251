using System.Globalization;

namespace Granary.Protocol;

/// <summary>A piece of some content: <paramref name="Offset"/> from its start, <paramref name="Length"/> bytes, at least one.</summary>
/// <param name="Offset">Bytes from the start of the content.</param>
/// <param name="Length">How many bytes.</param>
public readonly record struct ByteRange(long Offset, long Length)
{
    private const string Unit = "bytes";

    /// <summary>The position of the last byte, as HTTP writes ranges.</summary>
    public long Last => Offset + Length - 1;

    /// <summary>
    /// The ranges that a <c>Range</c> header selects of content that has <paramref name="size"/> bytes (RFC 9110, section 14).
    /// Null: no usable header (another unit, malformed): serve the whole. Empty: nothing satisfiable: 416.
    /// </summary>
    /// <param name="header">The header, such as <c>bytes=0-99,200-</c>.</param>
    /// <param name="size">The size of the content, in bytes.</param>
    /// <param name="maxRanges">More ranges than this, after joining those that touch, and the header is not usable.</param>
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
    /// Parses the <c>Content-Range</c> of a chunk: <c>start-end</c>, both inclusive (OCI distribution specification, "Pushing a blob in chunks");
    /// the HTTP form <c>bytes start-end/total</c> is accepted too.
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
        if (dash < 0 || !TryNumber(rest[..dash], out var first) || !TryNumber(rest[(dash + 1)..], out var last) || last < first || last == long.MaxValue)
        {
            return false;
        }

        range = new ByteRange(first, last - first + 1);
        return true;
    }

    /// <summary>One range of a header; null for one that selects nothing. False if it is malformed.</summary>
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
            // The last so many bytes.
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

    /// <summary>Joins a range with the one before it if they touch: nothing is sent twice for a client that asks piece by piece.</summary>
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

    /// <summary>A number of any length; one that is too large for a file is the largest there is.</summary>
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
