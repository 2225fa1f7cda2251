namespace Granary.Protocol.Hashing;

/// <summary>The chaining words of a SHA-2 hash, and the function that takes whole blocks into them.</summary>
internal abstract class Sha2Blocks
{
    /// <summary>Makes the initial words of a hash function, with OpenSSL where it is and can be used.</summary>
    public static Sha2Blocks Create(DigestAlgorithm algorithm) =>
        OpenSslSha2.IsUsable ? new OpenSslBlocks(algorithm) : CreateManaged(algorithm);

    /// <summary>Makes the initial words of a hash function, in managed code.</summary>
    public static Sha2Blocks CreateManaged(DigestAlgorithm algorithm) =>
        algorithm == DigestAlgorithm.Sha256 ? new ManagedSha256Blocks() : new ManagedSha512Blocks();

    /// <summary>Takes whole blocks in.</summary>
    public abstract void Append(ReadOnlySpan<byte> blocks);

    /// <summary>Copies the words, big-endian.</summary>
    public abstract void CopyWordsTo(Span<byte> words);

    /// <summary>Replaces the words.</summary>
    public abstract void SetWords(ReadOnlySpan<byte> words);
}
