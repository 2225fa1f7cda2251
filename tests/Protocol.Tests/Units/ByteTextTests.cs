using Granary.Protocol.Units;

namespace Granary.Protocol.Tests.Units;

/// <summary>How sizes are printed.</summary>
public sealed class ByteTextTests
{
    [Theory]
    [InlineData(0, "0 bytes")]
    [InlineData(1, "1 byte")]
    [InlineData(999, "999 bytes")]
    [InlineData(1000, "1 KB")]
    [InlineData(8_400_000, "8.4 MB")]
    [InlineData(314_572, "314.6 KB")]
    [InlineData(999_960, "1 MB")]
    [InlineData(3_221_225_472, "3.2 GB")]
    [InlineData(5_000_000_000_000_000, "5000 TB")]
    public void Bytes_have_one_unit_everywhere(long bytes, string text) => Assert.Equal(text, ByteText.Of(bytes));
}
