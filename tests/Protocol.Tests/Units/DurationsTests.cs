using Granary.Protocol.Units;

namespace Granary.Protocol.Tests.Units;

public sealed class DurationsTests
{
    [Theory]
    [InlineData("0s", 0)]
    [InlineData("250ms", 250)]
    [InlineData("90s", 90_000)]
    [InlineData("90m", 90 * 60_000)]
    [InlineData("24h", 24 * 3_600_000)]
    [InlineData("7d", 7 * 24 * 3_600_000)]
    public void A_duration_is_read_and_written_with_its_unit(string text, int milliseconds)
    {
        Assert.True(Durations.TryParse(text, out var duration));
        Assert.Equal(milliseconds, duration.TotalMilliseconds);
        Assert.Equal(text, Durations.Text(duration));
    }

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("s")]
    [InlineData("-1s")]
    [InlineData("1.5h")]
    [InlineData("1 h")]
    [InlineData("1w")]
    [InlineData("3651d")]
    [InlineData("99999999999s")]
    public void Any_other_text_is_refused(string text) => Assert.False(Durations.TryParse(text, out _));
}
