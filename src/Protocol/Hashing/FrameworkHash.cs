using System.Security.Cryptography;

namespace Granary.Protocol.Hashing;

/// <summary>A running hash of .NET. Its state cannot leave the process.</summary>
internal sealed class FrameworkHash(DigestAlgorithm algorithm) : RunningHash(algorithm)
{
    private readonly IncrementalHash _hash =
        IncrementalHash.CreateHash(algorithm == DigestAlgorithm.Sha512 ? HashAlgorithmName.SHA512 : HashAlgorithmName.SHA256);

    /// <inheritdoc/>
    public override void Append(ReadOnlySpan<byte> bytes)
    {
        _hash.AppendData(bytes);
        Length += bytes.Length;
    }

    /// <inheritdoc/>
    public override Digest ToDigest()
    {
        Span<byte> hash = stackalloc byte[SHA512.HashSizeInBytes];
        return Digest.FromHash(Algorithm, hash[.._hash.GetCurrentHash(hash)]);
    }

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _hash.Dispose();
        }

        base.Dispose(disposing);
    }
}
