using System.Security.Cryptography;

namespace Granary.Protocol;

/// <summary>Hashes bytes as they arrive.</summary>
public sealed class RunningHash(DigestAlgorithm algorithm) : IDisposable
{
    private readonly IncrementalHash _hash =
        IncrementalHash.CreateHash(algorithm == DigestAlgorithm.Sha512 ? HashAlgorithmName.SHA512 : HashAlgorithmName.SHA256);

    /// <summary>The hash function.</summary>
    public DigestAlgorithm Algorithm => algorithm;

    /// <summary>How many bytes were hashed.</summary>
    public long Length { get; private set; }

    /// <summary>Hashes the next bytes.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        _hash.AppendData(bytes);
        Length += bytes.Length;
    }

    /// <summary>Returns the digest of all bytes so far. More can follow.</summary>
    public Digest ToDigest()
    {
        Span<byte> hash = stackalloc byte[SHA512.HashSizeInBytes];
        return Digest.FromHash(algorithm, hash[.._hash.GetCurrentHash(hash)]);
    }

    /// <inheritdoc/>
    public void Dispose() => _hash.Dispose();
}
