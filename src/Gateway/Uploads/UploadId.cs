using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using Granary.Protocol;

namespace Granary.Gateway.Uploads;

/// <summary>
/// The id of an upload session: random bits, the time of issue, the announced algorithm, and a keyed hash over these and the repository.
/// The hash proves that the registry issued the id, so that a session without bytes needs no row (docs/architecture.md, "Bytes").
/// </summary>
public sealed class UploadId
{
    private const int RandomBytes = 16;
    private const int PayloadBytes = RandomBytes + sizeof(long) + 1;
    private const int SignatureBytes = 16;
    private const int TotalBytes = PayloadBytes + SignatureBytes;

    private UploadId(string text, DateTimeOffset issuedAt, DigestAlgorithm algorithm)
    {
        Text = text;
        IssuedAt = issuedAt;
        Algorithm = algorithm;
    }

    /// <summary>The id in base64url, as URLs have it. It is also the key of the session's grain.</summary>
    public string Text { get; }

    /// <summary>The time of issue.</summary>
    public DateTimeOffset IssuedAt { get; }

    /// <summary>The algorithm that the client announced, or SHA-256.</summary>
    public DigestAlgorithm Algorithm { get; }

    /// <summary>Issues an id.</summary>
    public static UploadId Issue(ReadOnlySpan<byte> key, RepositoryName repository, DigestAlgorithm algorithm, DateTimeOffset now)
    {
        Span<byte> bytes = stackalloc byte[TotalBytes];
        RandomNumberGenerator.Fill(bytes[..RandomBytes]);
        BinaryPrimitives.WriteInt64BigEndian(bytes[RandomBytes..], now.UtcTicks);
        bytes[PayloadBytes - 1] = (byte)algorithm;
        Sign(key, repository, bytes[..PayloadBytes], bytes[PayloadBytes..]);
        return new UploadId(Base64Url.EncodeToString(bytes), now, algorithm);
    }

    /// <summary>Returns the id that a text is; null if it was not issued under this key for this repository.</summary>
    public static UploadId? Verify(ReadOnlySpan<byte> key, RepositoryName repository, string text)
    {
        // Each id has exactly one text. A second encoding of the same bytes would name a second grain for the same session.
        if (text.Length != Base64Url.GetEncodedLength(TotalBytes) || !Base64Url.IsValid(text))
        {
            return null;
        }

        Span<byte> bytes = stackalloc byte[TotalBytes];
        Span<byte> signature = stackalloc byte[SignatureBytes];
        if (!Base64Url.TryDecodeFromChars(text, bytes, out var length) || length != TotalBytes || Base64Url.EncodeToString(bytes) != text)
        {
            return null;
        }

        Sign(key, repository, bytes[..PayloadBytes], signature);
        if (!CryptographicOperations.FixedTimeEquals(signature, bytes[PayloadBytes..]))
        {
            return null;
        }

        var issuedAt = new DateTimeOffset(BinaryPrimitives.ReadInt64BigEndian(bytes[RandomBytes..]), TimeSpan.Zero);
        return new UploadId(text, issuedAt, (DigestAlgorithm)bytes[PayloadBytes - 1]);
    }

    /// <inheritdoc/>
    public override string ToString() => Text;

    private static void Sign(ReadOnlySpan<byte> key, RepositoryName repository, ReadOnlySpan<byte> payload, Span<byte> signature)
    {
        Span<byte> message = stackalloc byte[PayloadBytes + RepositoryName.MaxLength];
        payload.CopyTo(message);
        var length = PayloadBytes + Encoding.ASCII.GetBytes(repository.Value, message[PayloadBytes..]);
        Span<byte> hash = stackalloc byte[HMACSHA256.HashSizeInBytes];
        HMACSHA256.HashData(key, message[..length], hash);
        hash[..SignatureBytes].CopyTo(signature);
    }
}
