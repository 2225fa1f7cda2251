using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;

namespace Granary.Protocol.Hashing;

/// <summary>
/// The state of a SHA-2 hash after some bytes, in a form that any process of any architecture continues:
/// <code>
/// version     1 byte
/// algorithm   1 byte      1 SHA-256, 2 SHA-512
/// length      8 bytes     big-endian: how many bytes were hashed
/// words       32 or 64    the chaining words, big-endian, as in a finished hash
/// rest        0 to 127    the bytes after the last whole block
/// </code>
/// </summary>
public sealed class HashState
{
    private const byte Version = 1;
    private const byte Sha256 = 1;
    private const byte Sha512 = 2;
    private const int WordsAt = 10;

    private HashState(DigestAlgorithm algorithm, long length, ReadOnlyMemory<byte> bytes) =>
        (Algorithm, Length, Bytes) = (algorithm, length, bytes);

    /// <summary>The hash function.</summary>
    public DigestAlgorithm Algorithm { get; }

    /// <summary>How many bytes were hashed.</summary>
    public long Length { get; }

    /// <summary>The state as it is stored and sent: 211 bytes at most.</summary>
    public ReadOnlyMemory<byte> Bytes { get; }

    internal ReadOnlySpan<byte> Words => Bytes.Span.Slice(WordsAt, WordsLength(Algorithm));

    internal ReadOnlySpan<byte> Rest => Bytes.Span[(WordsAt + WordsLength(Algorithm))..];

    /// <summary>Parses a state. Returns false if it is not one, or if a newer release has written it in another form.</summary>
    public static bool TryParse(ReadOnlyMemory<byte> bytes, [NotNullWhen(true)] out HashState? state)
    {
        state = null;
        var span = bytes.Span;
        if (span.Length < WordsAt || span[0] != Version || span[1] is not (Sha256 or Sha512))
        {
            return false;
        }

        var algorithm = span[1] == Sha256 ? DigestAlgorithm.Sha256 : DigestAlgorithm.Sha512;
        var length = BinaryPrimitives.ReadInt64BigEndian(span[2..]);
        if (length < 0 || span.Length != WordsAt + WordsLength(algorithm) + (length % BlockLength(algorithm)))
        {
            return false;
        }

        state = new HashState(algorithm, length, bytes.ToArray());
        return true;
    }

    /// <summary>Parses a state that this program wrote.</summary>
    /// <exception cref="FormatException">The bytes are not a state of this release.</exception>
    public static HashState Parse(ReadOnlyMemory<byte> bytes) =>
        TryParse(bytes, out var state)
        ? state
        : throw new FormatException("The bytes are not the state of a hash that this release knows.");

    internal static HashState Of(DigestAlgorithm algorithm, long length, Sha2Blocks blocks, ReadOnlySpan<byte> rest)
    {
        var words = WordsLength(algorithm);
        var bytes = new byte[WordsAt + words + rest.Length];
        bytes[0] = Version;
        bytes[1] = algorithm == DigestAlgorithm.Sha256 ? Sha256 : Sha512;
        BinaryPrimitives.WriteInt64BigEndian(bytes.AsSpan(2), length);
        blocks.CopyWordsTo(bytes.AsSpan(WordsAt, words));
        rest.CopyTo(bytes.AsSpan(WordsAt + words));
        return new HashState(algorithm, length, bytes);
    }

    internal static int BlockLength(DigestAlgorithm algorithm) => algorithm == DigestAlgorithm.Sha256 ? 64 : 128;

    internal static int WordsLength(DigestAlgorithm algorithm) => algorithm == DigestAlgorithm.Sha256 ? 32 : 64;
}
