using System.Globalization;

namespace Granary.Protocol.Units;

/// <summary>
/// Reads and writes durations as users write them: a number and a unit (<c>ms</c>, <c>s</c>, <c>m</c>, <c>h</c>, <c>d</c>).
/// </summary>
public static class Durations
{
    private static readonly (string Unit, TimeSpan Length)[] Units =
    [
        ("ms", TimeSpan.FromMilliseconds(1)),
        ("s", TimeSpan.FromSeconds(1)),
        ("m", TimeSpan.FromMinutes(1)),
        ("h", TimeSpan.FromHours(1)),
        ("d", TimeSpan.FromDays(1)),
    ];

    /// <summary>Reads a duration of at most ten years. Returns false for any other text.</summary>
    public static bool TryParse(string text, out TimeSpan duration)
    {
        duration = default;
        foreach (var (unit, length) in Units)
        {
            if (text.EndsWith(unit, StringComparison.Ordinal)
                && int.TryParse(text.AsSpan(0, text.Length - unit.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
            {
                duration = number * length;
                return duration <= TimeSpan.FromDays(3650);
            }
        }

        return false;
    }

    /// <summary>Writes a duration in its largest unit without a remainder.</summary>
    public static string Text(TimeSpan duration)
    {
        for (var i = Units.Length - 1; i >= 0; i--)
        {
            var (unit, length) = Units[i];
            if (duration >= length && duration.Ticks % length.Ticks == 0)
            {
                // One day is written in hours, like the shorter durations beside it.
                return unit == "d" && duration == length ? "24h" : $"{duration.Ticks / length.Ticks}{unit}";
            }
        }

        return "0s";
    }
}
