namespace Granary.Protocol.Hashing;

/// <summary>Hashes bytes as they arrive.</summary>
public abstract class RunningHash(DigestAlgorithm algorithm) : IDisposable
{
    /// <summary>The hash function.</summary>
    public DigestAlgorithm Algorithm => algorithm;

    /// <summary>How many bytes were hashed.</summary>
    public long Length { get; private protected set; }

    /// <summary>Begins a hash whose state stays in this process: the fastest there is.</summary>
    public static RunningHash Create(DigestAlgorithm algorithm) => new FrameworkHash(algorithm);

    /// <summary>Hashes the next bytes.</summary>
    public abstract void Append(ReadOnlySpan<byte> bytes);

    /// <summary>Returns the digest of all bytes so far. More can follow.</summary>
    public abstract Digest ToDigest();

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees what the hash holds.</summary>
    protected virtual void Dispose(bool disposing)
    {
    }
}
