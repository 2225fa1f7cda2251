using System.Diagnostics.CodeAnalysis;

namespace Granary.Protocol;

/// <summary>
/// The value of <c>If-Match</c> or <c>If-None-Match</c>: <c>*</c>, or a list of entity tags (RFC 9110, sections 8.8.3 and 13.1). The entity
/// tag of content is its digest in quotes. A tag that is not a digest is well formed and matches no content.
/// </summary>
public sealed class EntityTags
{
    private EntityTags(bool isAny, IReadOnlyList<Digest> digests) => (IsAny, Digests) = (isAny, digests);

    /// <summary>Whether it is <c>*</c>.</summary>
    public bool IsAny { get; }

    /// <summary>The digests of the list.</summary>
    public IReadOnlyList<Digest> Digests { get; }

    /// <summary>
    /// Parses the value of a header. Weak tags count as strong ones, and a digest may lack its quotes. Returns false for anything else.
    /// </summary>
    public static bool TryParse(string header, [NotNullWhen(true)] out EntityTags? tags)
    {
        tags = null;
        if (header.Trim() == "*")
        {
            tags = new EntityTags(isAny: true, []);
            return true;
        }

        var digests = new List<Digest>();
        foreach (var part in header.Split(',', StringSplitOptions.TrimEntries))
        {
            var text = part.StartsWith("W/", StringComparison.Ordinal) ? part[2..] : part;
            var isQuoted = text.Length >= 2 && text[0] == '"' && text[^1] == '"';
            if (Digest.TryParse(isQuoted ? text[1..^1] : text, out var digest))
            {
                digests.Add(digest);
            }
            else if (!isQuoted || text[1..^1].Contains('"', StringComparison.Ordinal))
            {
                return false;
            }
        }

        tags = new EntityTags(isAny: false, digests);
        return true;
    }

    /// <summary>Returns whether the header matches content with this digest.</summary>
    public bool Contains(Digest digest) => IsAny || Digests.Contains(digest);
}
