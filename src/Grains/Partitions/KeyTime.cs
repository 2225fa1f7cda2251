using System.Globalization;

namespace Granary.Grains.Partitions;

/// <summary>Writes and reads times and versions in keys: 16 hexadecimal digits, so that the order of keys is the order of time.</summary>
internal static class KeyTime
{
    public static string Text(DateTimeOffset time) => Text(time.UtcTicks);

    public static string Text(long number) => number.ToString("x16", CultureInfo.InvariantCulture);

    public static long Number(ReadOnlySpan<char> text) => long.Parse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);

    public static DateTimeOffset Time(ReadOnlySpan<char> text) => new(Number(text), TimeSpan.Zero);
}
