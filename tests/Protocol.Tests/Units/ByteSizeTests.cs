using Granary.Protocol.Units;

namespace Granary.Protocol.Tests.Units;

public sealed class ByteSizeTests
{
    [Theory]
    [InlineData("auto", null)]
    [InlineData("0B", 0L)]
    [InlineData("1500B", 1500L)]
    [InlineData("512MB", 512_000_000L)]
    [InlineData("64KiB", 65_536L)]
    [InlineData("2GiB", 2_147_483_648L)]
    [InlineData("1TB", 1_000_000_000_000L)]
    public void A_size_is_a_number_and_a_unit(string text, long? bytes)
    {
        Assert.True(ByteSize.TryParse(text, out var size));

        Assert.Equal(bytes, size.Bytes);
        Assert.True(ByteSize.TryParse(size.ToString(), out var again));
        Assert.Equal(size, again);
    }

    [Theory]
    [InlineData("")]
    [InlineData("512")]
    [InlineData("MB")]
    [InlineData("-1MB")]
    [InlineData("1.5GB")]
    [InlineData("5%")]
    [InlineData("9999999999999TB")]
    public void Other_text_is_not_a_size(string text) => Assert.False(ByteSize.TryParse(text, out _));
}
