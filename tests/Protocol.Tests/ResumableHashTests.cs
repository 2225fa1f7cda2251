using Granary.Protocol.Hashing;

namespace Granary.Protocol.Tests;

public sealed class ResumableHashTests
{
    [Fact]
    public void OpenSSL_is_used_where_tests_run() => Assert.True(OpenSslSha2.IsUsable);

    [Theory]
    [InlineData(DigestAlgorithm.Sha256, true)]
    [InlineData(DigestAlgorithm.Sha256, false)]
    [InlineData(DigestAlgorithm.Sha512, true)]
    [InlineData(DigestAlgorithm.Sha512, false)]
    public void Any_content_in_any_pieces_has_the_digest_of_the_framework(DigestAlgorithm algorithm, bool managed)
    {
        var random = new Random(7);
        for (var length = 0; length < 600; length++)
        {
            var content = Bytes(random, length);
            using var hash = new ResumableHash(algorithm, Blocks(algorithm, managed));
            for (var done = 0; done < length;)
            {
                var count = random.Next(1, Math.Min(200, length - done) + 1);
                hash.Append(content.AsSpan(done, count));
                done += count;
                if (random.Next(4) == 0)
                {
                    Assert.Equal(Digest.Compute(algorithm, content.AsSpan(0, done)), hash.ToDigest());
                }
            }

            Assert.Equal(Digest.Compute(algorithm, content), hash.ToDigest());
            Assert.Equal(length, hash.Length);
        }
    }

    [Theory]
    [InlineData(DigestAlgorithm.Sha256)]
    [InlineData(DigestAlgorithm.Sha512)]
    public void OpenSSL_and_managed_code_continue_each_others_state(DigestAlgorithm algorithm)
    {
        var random = new Random(8);
        for (var length = 0; length < 400; length++)
        {
            var content = Bytes(random, length);
            var hash = new ResumableHash(algorithm, Blocks(algorithm, managed: false));
            for (var (done, i) = (0, 0); done < length; i++)
            {
                var count = random.Next(1, length - done + 1);
                hash.Append(content.AsSpan(done, count));
                done += count;
                var state = HashState.Parse(hash.Export().Bytes);
                hash.Dispose();
                hash = new ResumableHash(state, Blocks(algorithm, managed: i % 2 == 0));
            }

            Assert.Equal(Digest.Compute(algorithm, content), hash.ToDigest());
            hash.Dispose();
        }
    }

    // Rows of earlier releases are read by later ones, on any architecture.
    [Theory]
    [InlineData(
        DigestAlgorithm.Sha256,
        "01010000000000000046da5698be17b9b46962335799779fbeca8ce5d491c0d26243bafef9ea1837a9d8000000000000")]
    [InlineData(DigestAlgorithm.Sha512, null)]
    public void The_form_of_a_state_stays(DigestAlgorithm algorithm, string? expected)
    {
        foreach (var managed in new[] { true, false })
        {
            using var hash = new ResumableHash(algorithm, Blocks(algorithm, managed));
            hash.Append(new byte[70]);
            var bytes = hash.Export().Bytes.ToArray();
            if (expected is not null)
            {
                Assert.Equal(expected, Convert.ToHexStringLower(bytes));
            }
            else
            {
                Assert.Equal((byte)2, bytes[1]);
                Assert.Equal(10 + 64 + 70, bytes.Length);
                Assert.Equal("6a09e667f3bcc908", Convert.ToHexStringLower(bytes.AsSpan(10, 8)));
            }
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("02010000000000000000")]
    [InlineData("01030000000000000000")]
    [InlineData("0101000000000000000000")]
    public void Other_bytes_are_no_state(string hex)
    {
        Assert.False(HashState.TryParse(Convert.FromHexString(hex), out _));
        using var hash = ResumableHash.Create(DigestAlgorithm.Sha256);
        var cut = hash.Export().Bytes[..^1];
        Assert.False(HashState.TryParse(cut, out _));
    }

    private static Sha2Blocks Blocks(DigestAlgorithm algorithm, bool managed) =>
        managed ? Sha2Blocks.CreateManaged(algorithm) : new OpenSslBlocks(algorithm);

    private static byte[] Bytes(Random random, int count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }
}
