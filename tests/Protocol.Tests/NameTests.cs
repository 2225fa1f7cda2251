using System.Text.RegularExpressions;
using CsCheck;

namespace Granary.Protocol.Tests;

public sealed partial class NameTests
{
    [Fact]
    public void Repository_names_follow_the_grammar_of_the_specification() => Gen.String[Gen.Char["ab0._-/A"], 0, 12].Sample(
        text => RepositoryName.TryParse(text, out _) == Grammar().IsMatch(text),
        iter: 200_000);

    [Theory]
    [InlineData("a", true)]
    [InlineData("library/app", true)]
    [InlineData("a__b/c.d/e---f", true)]
    [InlineData("a\n", false)]
    [InlineData("", false)]
    [InlineData(null, false)]
    public void Repository_names_are_accepted_or_refused(string? text, bool valid) =>
        Assert.Equal(valid, RepositoryName.TryParse(text, out _));

    [Fact]
    public void Repository_names_have_at_most_255_bytes()
    {
        Assert.True(RepositoryName.TryParse(new string('a', 255), out _));
        Assert.False(RepositoryName.TryParse(new string('a', 256), out _));
    }

    [Fact]
    public void Tags_follow_the_grammar_of_the_specification() => Gen.String[Gen.Char["aA0._-/ :"], 0, 8].Sample(
        text => Tag.TryParse(text, out _) == Regex.IsMatch(text, @"\A[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}\z"),
        iter: 50_000);

    [Fact]
    public void Tags_have_at_most_128_characters()
    {
        Assert.True(Tag.TryParse(new string('a', 128), out _));
        Assert.False(Tag.TryParse(new string('a', 129), out _));
    }

    [Theory]
    [InlineData("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", true)]
    [InlineData("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85", false)]
    [InlineData("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b8555", false)]
    [InlineData("sha256:E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", false)]
    [InlineData("sha512:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", false)]
    [InlineData("md5:d41d8cd98f00b204e9800998ecf8427e", false)]
    [InlineData("latest", false)]
    [InlineData("", false)]
    public void Digests_have_a_known_algorithm_and_its_length(string text, bool valid) => Assert.Equal(valid, Digest.TryParse(text, out _));

    [Theory]
    [InlineData(DigestAlgorithm.Sha256, "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    [InlineData(
        DigestAlgorithm.Sha512,
        "sha512:cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce" +
        "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e")]
    public void Digests_are_computed(DigestAlgorithm algorithm, string expected)
    {
        var digest = Digest.Compute(algorithm, []);

        Assert.Equal(expected, digest.Value);
        Assert.Equal(algorithm, digest.Algorithm);
        Assert.Equal(Convert.ToByte(expected[7..9], 16), digest.FirstByte);
    }

    [Fact]
    public void A_reference_is_a_digest_or_a_tag()
    {
        Assert.True(Reference.TryParse("latest", out var tag));
        Assert.IsType<Reference.ByTag>(tag);
        Assert.True(Reference.TryParse(Digest.Compute(DigestAlgorithm.Sha256, []).Value, out var digest));
        Assert.IsType<Reference.ByDigest>(digest);
        Assert.False(Reference.TryParse("sha256:abc", out _));
    }

    [GeneratedRegex(@"\A[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*\z")]
    private static partial Regex Grammar();
}
