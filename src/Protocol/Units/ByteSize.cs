using System.Globalization;

namespace Granary.Protocol.Units;

/// <summary>A number of bytes in a setting: a number and a unit (<c>512MB</c>, <c>2GiB</c>), or <c>auto</c>.</summary>
/// <param name="Bytes">The number of bytes; null for <c>auto</c>.</param>
public readonly record struct ByteSize(long? Bytes)
{
    private const string AutomaticText = "auto";

    // Longer units first, because "MB" ends with "B" too.
    private static readonly (string Unit, long Bytes)[] Units =
    [
        ("TiB", 1L << 40), ("GiB", 1L << 30), ("MiB", 1L << 20), ("KiB", 1L << 10),
        ("TB", 1_000_000_000_000), ("GB", 1_000_000_000), ("MB", 1_000_000), ("KB", 1_000), ("B", 1),
    ];

    /// <summary>Parses a size. Returns false if the text is not a size, or is not less than 2^63 bytes.</summary>
    public static bool TryParse(string text, out ByteSize size)
    {
        size = default;
        if (text == AutomaticText)
        {
            return true;
        }

        foreach (var (unit, bytes) in Units)
        {
            if (text.EndsWith(unit, StringComparison.Ordinal))
            {
                var digits = text.AsSpan(0, text.Length - unit.Length);
                if (!long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
                    || number > long.MaxValue / bytes)
                {
                    return false;
                }

                size = new ByteSize(number * bytes);
                return true;
            }
        }

        return false;
    }

    /// <summary>Returns the size as <see cref="TryParse"/> reads it, in its largest unit without a remainder.</summary>
    public override string ToString()
    {
        if (Bytes is not { } bytes)
        {
            return AutomaticText;
        }

        if (bytes == 0)
        {
            return "0B";
        }

        var (unit, length) = Array.Find(Units, unit => bytes % unit.Bytes == 0);
        return string.Create(CultureInfo.InvariantCulture, $"{bytes / length}{unit}");
    }
}
