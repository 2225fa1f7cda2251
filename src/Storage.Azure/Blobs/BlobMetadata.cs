using Granary.Protocol;

namespace Granary.Storage.Azure.Blobs;

/// <summary>The metadata of objects: the digest of a sealed one.</summary>
internal static class BlobMetadata
{
    private const string DigestKey = "digest";

    public static Dictionary<string, string> Of(Digest digest) => new(StringComparer.Ordinal) { [DigestKey] = digest.Value };

    /// <summary>Returns the digest under which an object is sealed; null if it is not.</summary>
    public static Digest? FindDigest(IDictionary<string, string>? metadata) =>
        metadata is not null && metadata.TryGetValue(DigestKey, out var text) && Digest.TryParse(text, out var digest) ? digest : null;
}
