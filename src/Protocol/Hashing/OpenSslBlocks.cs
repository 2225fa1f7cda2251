using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Granary.Protocol.Hashing;

/// <summary>
/// SHA-2 by OpenSSL. The words are the first field of its structure, in the byte order of the machine. Only whole blocks are passed, so
/// that the structure never holds a part of one.
/// </summary>
internal sealed unsafe class OpenSslBlocks : Sha2Blocks
{
    private readonly bool _isSha256;
    private readonly byte[] _context = new byte[OpenSslSha2.ContextLength];

    public OpenSslBlocks(DigestAlgorithm algorithm)
    {
        _isSha256 = algorithm == DigestAlgorithm.Sha256;
        fixed (byte* context = _context)
        {
            Check(_isSha256 ? OpenSslSha2.Init256(context) : OpenSslSha2.Init512(context));
        }
    }

    /// <inheritdoc/>
    public override void Append(ReadOnlySpan<byte> blocks)
    {
        fixed (byte* context = _context, data = blocks)
        {
            var length = (nuint)blocks.Length;
            Check(_isSha256 ? OpenSslSha2.Update256(context, data, length) : OpenSslSha2.Update512(context, data, length));
        }
    }

    /// <inheritdoc/>
    public override void CopyWordsTo(Span<byte> words) => CopyWords(_context, words);

    /// <inheritdoc/>
    public override void SetWords(ReadOnlySpan<byte> words) => CopyWords(words, _context);

    /// <summary>Copies eight words from or to big-endian order, which is the same on both ways.</summary>
    private void CopyWords(ReadOnlySpan<byte> from, Span<byte> to)
    {
        if (_isSha256)
        {
            Copy(MemoryMarshal.Cast<byte, uint>(from)[..8], MemoryMarshal.Cast<byte, uint>(to));
        }
        else
        {
            Copy(MemoryMarshal.Cast<byte, ulong>(from)[..8], MemoryMarshal.Cast<byte, ulong>(to));
        }
    }

    private static void Copy(ReadOnlySpan<uint> from, Span<uint> to)
    {
        for (var i = 0; i < from.Length; i++)
        {
            to[i] = BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(from[i]) : from[i];
        }
    }

    private static void Copy(ReadOnlySpan<ulong> from, Span<ulong> to)
    {
        for (var i = 0; i < from.Length; i++)
        {
            to[i] = BitConverter.IsLittleEndian ? BinaryPrimitives.ReverseEndianness(from[i]) : from[i];
        }
    }

    private static void Check(int result)
    {
        if (result != 1)
        {
            throw new CryptographicException("OpenSSL's hash function failed.");
        }
    }
}
