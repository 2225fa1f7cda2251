using System.Globalization;

namespace Granary.Protocol.Units;

/// <summary>Formats sizes for people: the same in the log, in errors, and in what the commands print.</summary>
public static class ByteText
{
    private static readonly string[] Units = ["bytes", "KB", "MB", "GB", "TB"];

    /// <summary>Returns a size with its unit, in powers of 1000: "1 byte", "950 bytes", "314.6 KB".</summary>
    public static string Of(long bytes)
    {
        if (bytes == 1)
        {
            return "1 byte";
        }

        var (number, unit) = ((double)bytes, 0);

        // From 999.95 on, one digit after the point would print 1000 of a unit.
        while (number >= (unit == 0 ? 1000 : 999.95) && unit < Units.Length - 1)
        {
            (number, unit) = (number / 1000, unit + 1);
        }

        return string.Create(CultureInfo.InvariantCulture, $"{number:0.#} {Units[unit]}");
    }
}
