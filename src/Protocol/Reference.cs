using System.Diagnostics.CodeAnalysis;

namespace Granary.Protocol;

/// <summary>What names a manifest in a repository: a tag or a digest (OCI distribution specification, <c>&lt;reference&gt;</c>).</summary>
public abstract record Reference
{
    private Reference()
    {
    }

    /// <summary>A manifest by the tag that points at it.</summary>
    public sealed record ByTag(Tag Tag) : Reference
    {
        /// <inheritdoc/>
        public override string ToString() => Tag.Value;
    }

    /// <summary>A manifest by the digest of its bytes.</summary>
    public sealed record ByDigest(Digest Digest) : Reference
    {
        /// <inheritdoc/>
        public override string ToString() => Digest.Value;
    }

    /// <summary>
    /// Parses the last segment of a manifest's path. A tag has no colon and a digest has one, so every text has one meaning.
    /// </summary>
    public static bool TryParse(string text, [NotNullWhen(true)] out Reference? reference)
    {
        reference = Digest.TryParse(text, out var digest) ? new ByDigest(digest)
            : Tag.TryParse(text, out var tag) ? new ByTag(tag)
            : null;
        return reference is not null;
    }
}
