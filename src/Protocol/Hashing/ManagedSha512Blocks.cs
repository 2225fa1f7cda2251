using System.Buffers.Binary;
using static System.Numerics.BitOperations;

namespace Granary.Protocol.Hashing;

/// <summary>SHA-512 in managed code (FIPS 180-4, section 6.4.2), for systems without OpenSSL's library. A fifth as fast.</summary>
internal sealed class ManagedSha512Blocks : Sha2Blocks
{
    private const int BlockLength = 128;
    private const int Rounds = 80;

    private readonly ulong[] _words = new ulong[8];

    public ManagedSha512Blocks()
    {
        for (var i = 0; i < _words.Length; i++)
        {
            _words[i] = Sha2Constants.Initial[i];
        }
    }

    /// <inheritdoc/>
    public override void Append(ReadOnlySpan<byte> blocks)
    {
        Span<ulong> schedule = stackalloc ulong[Rounds];
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
            BinaryPrimitives.WriteUInt64BigEndian(words[(i * sizeof(ulong))..], _words[i]);
        }
    }

    /// <inheritdoc/>
    public override void SetWords(ReadOnlySpan<byte> words)
    {
        for (var i = 0; i < _words.Length; i++)
        {
            _words[i] = BinaryPrimitives.ReadUInt64BigEndian(words[(i * sizeof(ulong))..]);
        }
    }

    private static void Extend(ReadOnlySpan<byte> block, Span<ulong> w)
    {
        for (var t = 0; t < 16; t++)
        {
            w[t] = BinaryPrimitives.ReadUInt64BigEndian(block[(t * sizeof(ulong))..]);
        }

        for (var t = 16; t < Rounds; t++)
        {
            var (x, y) = (w[t - 15], w[t - 2]);
            w[t] = w[t - 16] + w[t - 7]
                + (RotateRight(x, 1) ^ RotateRight(x, 8) ^ (x >> 7))
                + (RotateRight(y, 19) ^ RotateRight(y, 61) ^ (y >> 6));
        }
    }

    private void Compress(ReadOnlySpan<ulong> w)
    {
        var (a, b, c, d) = (_words[0], _words[1], _words[2], _words[3]);
        var (e, f, g, h) = (_words[4], _words[5], _words[6], _words[7]);
        for (var t = 0; t < Rounds; t++)
        {
            var one = h + (RotateRight(e, 14) ^ RotateRight(e, 18) ^ RotateRight(e, 41)) + ((e & f) ^ (~e & g))
                + Sha2Constants.Rounds[t] + w[t];
            var two = (RotateRight(a, 28) ^ RotateRight(a, 34) ^ RotateRight(a, 39)) + ((a & b) ^ (a & c) ^ (b & c));
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
