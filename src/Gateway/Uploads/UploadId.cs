using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Granary.Protocol;

namespace Granary.Gateway.Uploads;

/// <summary>
/// The id of an upload session, which proves itself: random bits, the time of issue, the announced algorithm, and a keyed hash over these and the repository.
/// A session that has received no byte is stored nowhere; that its id is genuine is all there is to know of it (docs/architecture.md, "Bytes").
/// </summary>
public sealed class UploadId
{
    private const int RandomBytes = 16;
    private const int ClaimBytes = RandomBytes + sizeof(long) + 1;
    private const int ProofBytes = 16;
    private const int TotalBytes = ClaimBytes + ProofBytes;

    private UploadId(string text, DateTimeOffset issuedAt, DigestAlgorithm algorithm)
    {
        Text = text;
        IssuedAt = issuedAt;
        Algorithm = algorithm;
    }

    /// <summary>The id, as it stands in URLs and is the key of the session's grain: base64url.</summary>
    public string Text { get; }

    /// <summary>When it was made.</summary>
    public DateTimeOffset IssuedAt { get; }

    /// <summary>The algorithm that the client announced, or SHA-256.</summary>
    public DigestAlgorithm Algorithm { get; }

    /// <summary>Makes an id.</summary>
    public static UploadId Issue(ReadOnlySpan<byte> key, RepositoryName repository, DigestAlgorithm algorithm, DateTimeOffset now)
    {
        Span<byte> bytes = stackalloc byte[TotalBytes];
        RandomNumberGenerator.Fill(bytes[..RandomBytes]);
        BinaryPrimitives.WriteInt64BigEndian(bytes[RandomBytes..], now.UtcTicks);
        bytes[ClaimBytes - 1] = (byte)algorithm;
        Prove(key, repository, bytes[..ClaimBytes], bytes[ClaimBytes..]);
        return new UploadId(Base64Url.EncodeToString(bytes), now, algorithm);
    }

    /// <summary>Knows an id again; null if it is not one that was issued for this repository.</summary>
    public static UploadId? Recognize(ReadOnlySpan<byte> key, RepositoryName repository, string text)
    {
        // The encoding must be the one that was issued: each id has one text, and so one grain.
        if (text.Length != Base64Url.GetEncodedLength(TotalBytes) || !Base64Url.IsValid(text))
        {
            return null;
        }

        Span<byte> bytes = stackalloc byte[TotalBytes];
        Span<byte> proof = stackalloc byte[ProofBytes];
        if (!Base64Url.TryDecodeFromChars(text, bytes, out var length) || length != TotalBytes || Base64Url.EncodeToString(bytes) != text)
        {
            return null;
        }

        Prove(key, repository, bytes[..ClaimBytes], proof);
        if (!CryptographicOperations.FixedTimeEquals(proof, bytes[ClaimBytes..]))
        {
            return null;
        }

        var issuedAt = new DateTimeOffset(BinaryPrimitives.ReadInt64BigEndian(bytes[RandomBytes..]), TimeSpan.Zero);
        return new UploadId(text, issuedAt, (DigestAlgorithm)bytes[ClaimBytes - 1]);
    }

    /// <inheritdoc/>
    public override string ToString() => Text;

    private static void Prove(ReadOnlySpan<byte> key, RepositoryName repository, ReadOnlySpan<byte> claim, Span<byte> proof)
    {
        Span<byte> message = stackalloc byte[ClaimBytes + RepositoryName.MaxLength];
        claim.CopyTo(message);
        var length = ClaimBytes + Encoding.ASCII.GetBytes(repository.Value, message[ClaimBytes..]);
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(key, message[..length], hash);
        hash[..ProofBytes].CopyTo(proof);
    }
}
