using CsCheck;

namespace Granary.Protocol.Tests;

public sealed class HeaderTests
{
    [Theory]
    [InlineData("bytes=0-9", "0+10")]
    [InlineData("bytes=0-", "0+100")]
    [InlineData("bytes=-10", "90+10")]
    [InlineData("bytes=-1000", "0+100")]
    [InlineData("Bytes = 5-5", "5+1")]
    [InlineData("bytes=0-9,20-29", "0+10 20+10")]
    [InlineData("bytes=0-9,10-19", "0+20")]
    [InlineData("bytes=0-50,40-60", "0+61")]
    [InlineData("bytes=20-29, 0-9", "20+10 0+10")]
    [InlineData("bytes=0-9,,200-", "0+10")]
    [InlineData("bytes=0-99999999999999999999999", "0+100")]
    [InlineData("bytes=100-", "")]
    [InlineData("bytes=9-5", "")]
    [InlineData("bytes=-0", "")]
    [InlineData("bytes=99999999999999999999999-", "")]
    [InlineData("bytes=", null)]
    [InlineData("bytes=a-b", null)]
    [InlineData("bytes=5", null)]
    [InlineData("bytes=-", null)]
    [InlineData("bytes=0-5,x", null)]
    [InlineData("items=0-5", null)]
    [InlineData("0-5", null)]
    [InlineData(null, null)]
    public void A_range_header_selects_these_ranges(string? header, string? expected)
    {
        var ranges = ByteRange.ParseRangeHeader(header, 100);

        Assert.Equal(expected, ranges is null ? null : string.Join(' ', ranges.Select(range => $"{range.Offset}+{range.Length}")));
    }

    [Fact]
    public void A_header_with_too_many_ranges_is_ignored()
    {
        var ranges = string.Join(',', Enumerable.Range(0, 101).Select(i => $"{i * 10}-{i * 10}"));

        Assert.Null(ByteRange.ParseRangeHeader("bytes=" + ranges, 10_000));
    }

    [Fact]
    public void Ranges_of_any_header_lie_in_the_content() =>
        Gen.Select(Gen.String[Gen.Char["bytes=0123456789-, "], 0, 30], Gen.Long[0, 1000]).Sample(
            (text, size) => (ByteRange.ParseRangeHeader("bytes=" + text, size) ?? [])
                .All(range => range.Offset >= 0 && range.Length > 0 && range.Last < size),
            iter: 100_000);

    [Theory]
    [InlineData("0-0", 0, 1)]
    [InlineData("100-199", 100, 100)]
    [InlineData("bytes 100-199/200", 100, 100)]
    [InlineData("bytes 100-199/*", 100, 100)]
    public void A_content_range_is_read(string text, long offset, long length)
    {
        Assert.True(ByteRange.TryParseContentRange(text, out var range));
        Assert.Equal(new ByteRange(offset, length), range);
    }

    [Theory]
    [InlineData("")]
    [InlineData("5")]
    [InlineData("5-4")]
    [InlineData("-5")]
    [InlineData("5-")]
    [InlineData("0-9223372036854775807")]
    [InlineData("0-99999999999999999999")]
    [InlineData("bytes */100")]
    [InlineData("0-5/x")]
    public void Another_text_is_not_a_content_range(string text) => Assert.False(ByteRange.TryParseContentRange(text, out _));

    [Theory]
    [InlineData("*", true, true)]
    [InlineData("\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"", true, true)]
    [InlineData("W/\"x\", sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", true, true)]
    [InlineData("\"other\"", true, false)]
    [InlineData("other", false, false)]
    [InlineData("\"", false, false)]
    [InlineData("", false, false)]
    public void Entity_tags_are_digests_in_quotes(string header, bool valid, bool containsEmpty)
    {
        Assert.Equal(valid, EntityTags.TryParse(header, out var tags));
        Assert.Equal(containsEmpty, tags?.Contains(Digest.Compute(DigestAlgorithm.Sha256, [])) ?? false);
    }

    [Theory]
    [InlineData(new string[0], false)]
    [InlineData(new[] { "*/*" }, false)]
    [InlineData(new[] { "application/*" }, false)]
    [InlineData(new[] { MediaTypes.DockerManifest }, true)]
    [InlineData(new[] { MediaTypes.DockerManifest, MediaTypes.DockerManifestList }, false)]
    [InlineData(new[] { MediaTypes.DockerManifest + "," + MediaTypes.OciIndex + ";q=0.5" }, false)]
    [InlineData(new[] { MediaTypes.DockerManifest + "," + MediaTypes.OciIndex + "; q=0.0" }, true)]
    public void A_client_that_accepts_neither_list_nor_index_wants_a_child(string[] headers, bool wants) =>
        Assert.Equal(wants, AcceptedTypes.Parse(headers).WantsChildOfManifestList);
}
