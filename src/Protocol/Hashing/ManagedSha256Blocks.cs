using System.Buffers.Binary;
using static System.Numerics.BitOperations;

namespace Granary.Protocol.Hashing;

/// <summary>SHA-256 in managed code (FIPS 180-4, section 6.2.2), for systems without OpenSSL's library. A fifth as fast.</summary>
internal sealed class ManagedSha256Blocks : Sha2Blocks
{
    private const int BlockLength = 64;
    private const int Rounds = 64;

    private readonly uint[] _words = new uint[8];

    public ManagedSha256Blocks()
    {
        for (var i = 0; i < _words.Length; i++)
        {
            _words[i] = (uint)(Sha2Constants.Initial[i] >> 32);
        }
    }

    /// <inheritdoc/>
    public override void Append(ReadOnlySpan<byte> blocks)
    {
        Span<uint> schedule = stackalloc uint[Rounds];
        for (; blocks.Length >= BlockLength; blocks = blocks[BlockLength..])
        {
            Extend(blocks, schedule);
            Compress(schedule);
        }
    }

    /// <inheritdoc/>
    public override void CopyWordsTo(Span<byte> words)
    {
        for (var i = 0; i < _words.Length; i++)
        {
            BinaryPrimitives.WriteUInt32BigEndian(words[(i * sizeof(uint))..], _words[i]);
        }
    }

    /// <inheritdoc/>
    public override void SetWords(ReadOnlySpan<byte> words)
    {
        for (var i = 0; i < _words.Length; i++)
        {
            _words[i] = BinaryPrimitives.ReadUInt32BigEndian(words[(i * sizeof(uint))..]);
        }
    }

    private static void Extend(ReadOnlySpan<byte> block, Span<uint> w)
    {
        for (var t = 0; t < 16; t++)
        {
            w[t] = BinaryPrimitives.ReadUInt32BigEndian(block[(t * sizeof(uint))..]);
        }

        for (var t = 16; t < Rounds; t++)
        {
            var (x, y) = (w[t - 15], w[t - 2]);
            w[t] = w[t - 16] + w[t - 7]
                + (RotateRight(x, 7) ^ RotateRight(x, 18) ^ (x >> 3))
                + (RotateRight(y, 17) ^ RotateRight(y, 19) ^ (y >> 10));
        }
    }

    private void Compress(ReadOnlySpan<uint> w)
    {
        var (a, b, c, d) = (_words[0], _words[1], _words[2], _words[3]);
        var (e, f, g, h) = (_words[4], _words[5], _words[6], _words[7]);
        for (var t = 0; t < Rounds; t++)
        {
            var one = h + (RotateRight(e, 6) ^ RotateRight(e, 11) ^ RotateRight(e, 25)) + ((e & f) ^ (~e & g))
                + (uint)(Sha2Constants.Rounds[t] >> 32) + w[t];
            var two = (RotateRight(a, 2) ^ RotateRight(a, 13) ^ RotateRight(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
            (h, g, f, e, d, c, b, a) = (g, f, e, d + one, c, b, a, one + two);
        }

        _words[0] += a;
        _words[1] += b;
        _words[2] += c;
        _words[3] += d;
        _words[4] += e;
        _words[5] += f;
        _words[6] += g;
        _words[7] += h;
    }
}
