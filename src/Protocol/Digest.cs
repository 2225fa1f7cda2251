using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace Granary.Protocol;

/// <summary>The hash functions that a digest may name (OCI image specification, "Registered algorithms").</summary>
public enum DigestAlgorithm
{
    /// <summary>SHA-256, the canonical algorithm.</summary>
    Sha256,

    /// <summary>SHA-512.</summary>
    Sha512,
}

/// <summary>
/// The address of content: <c>algorithm:encoded</c>, lower-case hexadecimal of the algorithm's exact length
/// (OCI image specification, "Digests"). Every value of this type is valid.
/// </summary>
public readonly record struct Digest : IComparable<Digest>
{
    private const string Sha256Prefix = "sha256:";
    private const string Sha512Prefix = "sha512:";

    private readonly string? _value;

    private Digest(string value) => _value = value;

    /// <summary>The whole digest, as in URLs, headers, manifests and rows.</summary>
    public string Value => _value ?? throw new InvalidOperationException("A default Digest is not a digest.");

    /// <summary>The hash function.</summary>
    public DigestAlgorithm Algorithm =>
        Value.StartsWith(Sha512Prefix, StringComparison.Ordinal) ? DigestAlgorithm.Sha512 : DigestAlgorithm.Sha256;

    /// <summary>The hexadecimal part: 64 or 128 characters.</summary>
    public ReadOnlySpan<char> Encoded => Value.AsSpan(Sha256Prefix.Length);

    /// <summary>The first byte of the hash. It selects one of the 256 shards.</summary>
    public byte FirstByte => Convert.FromHexString(Encoded[..2])[0];

    /// <summary>Parses <paramref name="text"/>. Returns false unless it is exactly a digest of a known algorithm.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out Digest digest)
    {
        digest = default;
        if (text is null || !HasShape(text))
        {
            return false;
        }

        digest = new Digest(text);
        return true;
    }

    /// <summary>Parses a digest that this program wrote, such as one in a row.</summary>
    /// <exception cref="FormatException">The text is not a digest: the row is damaged.</exception>
    public static Digest Parse(string text) =>
        TryParse(text, out var digest) ? digest : throw new FormatException($"'{text}' is not a digest.");

    /// <summary>Makes the digest of a finished hash.</summary>
    /// <param name="algorithm">The hash function that made <paramref name="hash"/>.</param>
    /// <param name="hash">32 bytes for SHA-256, 64 for SHA-512.</param>
    public static Digest FromHash(DigestAlgorithm algorithm, ReadOnlySpan<byte> hash)
    {
        if (hash.Length != (algorithm == DigestAlgorithm.Sha256 ? SHA256.HashSizeInBytes : SHA512.HashSizeInBytes))
        {
            throw new ArgumentException($"{hash.Length} bytes are not a hash of {algorithm}.", nameof(hash));
        }

        return new Digest((algorithm == DigestAlgorithm.Sha256 ? Sha256Prefix : Sha512Prefix) + Convert.ToHexStringLower(hash));
    }

    /// <summary>Computes the digest of content in memory.</summary>
    public static Digest Compute(DigestAlgorithm algorithm, ReadOnlySpan<byte> content)
    {
        Span<byte> hash = stackalloc byte[SHA512.HashSizeInBytes];
        var length = algorithm == DigestAlgorithm.Sha256 ? SHA256.HashData(content, hash) : SHA512.HashData(content, hash);
        return FromHash(algorithm, hash[..length]);
    }

    /// <inheritdoc/>
    public int CompareTo(Digest other) => string.CompareOrdinal(_value, other._value);

    /// <inheritdoc/>
    public override string ToString() => _value ?? "";

    private static bool HasShape(string text)
    {
        var length = text.StartsWith(Sha256Prefix, StringComparison.Ordinal) ? SHA256.HashSizeInBytes
            : text.StartsWith(Sha512Prefix, StringComparison.Ordinal) ? SHA512.HashSizeInBytes
            : -1;
        return length > 0
            && text.Length == Sha256Prefix.Length + (2 * length)
            && !text.AsSpan(Sha256Prefix.Length).ContainsAnyExcept(LowerHex);
    }

    private static readonly System.Buffers.SearchValues<char> LowerHex = System.Buffers.SearchValues.Create("0123456789abcdef");

    /// <summary>Ordinal order of the text.</summary>
    public static bool operator <(Digest left, Digest right) => left.CompareTo(right) < 0;

    /// <summary>Ordinal order of the text.</summary>
    public static bool operator >(Digest left, Digest right) => left.CompareTo(right) > 0;

    /// <summary>Ordinal order of the text.</summary>
    public static bool operator <=(Digest left, Digest right) => left.CompareTo(right) <= 0;

    /// <summary>Ordinal order of the text.</summary>
    public static bool operator >=(Digest left, Digest right) => left.CompareTo(right) >= 0;
}
