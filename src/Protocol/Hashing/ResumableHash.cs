using System.Buffers.Binary;

namespace Granary.Protocol.Hashing;

/// <summary>A running hash whose state another process can continue.</summary>
public sealed class ResumableHash : RunningHash
{
    private readonly Sha2Blocks _blocks;
    private readonly byte[] _rest;
    private int _restLength;

    internal ResumableHash(DigestAlgorithm algorithm, Sha2Blocks blocks)
        : base(algorithm) => (_blocks, _rest) = (blocks, new byte[HashState.BlockLength(algorithm)]);

    internal ResumableHash(HashState state, Sha2Blocks blocks)
        : this(state.Algorithm, blocks)
    {
        blocks.SetWords(state.Words);
        state.Rest.CopyTo(_rest);
        (_restLength, Length) = (state.Rest.Length, state.Length);
    }

    /// <summary>Begins a hash.</summary>
    public static new ResumableHash Create(DigestAlgorithm algorithm) => new(algorithm, Sha2Blocks.Create(algorithm));

    /// <summary>Continues a hash after the bytes of a state.</summary>
    public static ResumableHash Resume(HashState state) => new(state, Sha2Blocks.Create(state.Algorithm));

    /// <summary>Returns the state after all bytes so far. More can follow.</summary>
    public HashState Export() => HashState.Of(Algorithm, Length, _blocks, _rest.AsSpan(0, _restLength));

    /// <inheritdoc/>
    public override void Append(ReadOnlySpan<byte> bytes)
    {
        Length += bytes.Length;
        if (_restLength > 0)
        {
            var count = Math.Min(_rest.Length - _restLength, bytes.Length);
            bytes[..count].CopyTo(_rest.AsSpan(_restLength));
            _restLength += count;
            bytes = bytes[count..];
            if (_restLength < _rest.Length)
            {
                return;
            }

            _blocks.Append(_rest);
            _restLength = 0;
        }

        var whole = bytes.Length - (bytes.Length % _rest.Length);
        if (whole > 0)
        {
            _blocks.Append(bytes[..whole]);
        }

        bytes[whole..].CopyTo(_rest);
        _restLength = bytes.Length - whole;
    }

    /// <inheritdoc/>
    public override Digest ToDigest()
    {
        // A copy of the words, because the padding (FIPS 180-4, section 5.1) must not count for bytes that follow.
        Span<byte> words = stackalloc byte[HashState.WordsLength(Algorithm)];
        Span<byte> hash = stackalloc byte[words.Length];
        Span<byte> padding = stackalloc byte[2 * _rest.Length];
        _blocks.CopyWordsTo(words);
        _blocks.Append(Pad(padding));
        _blocks.CopyWordsTo(hash);
        _blocks.SetWords(words);
        return Digest.FromHash(Algorithm, hash);
    }

    /// <summary>Returns the last blocks: the rest, a one, zeros, and the length in bits in 8 or 16 bytes.</summary>
    private Span<byte> Pad(Span<byte> padding)
    {
        var lengthBytes = _rest.Length / 8;
        var last = padding[..(_restLength + 1 + lengthBytes <= _rest.Length ? _rest.Length : 2 * _rest.Length)];
        last.Clear();
        _rest.AsSpan(0, _restLength).CopyTo(last);
        last[_restLength] = 0x80;

        // SHA-256 has only 8 bytes for the length. The 8 before them, which may hold data, stay: the upper half of the length is 0.
        var end = last[^16..];
        BinaryPrimitives.WriteUInt128BigEndian(end, BinaryPrimitives.ReadUInt128BigEndian(end) | ((UInt128)(ulong)Length << 3));
        return last;
    }
}
