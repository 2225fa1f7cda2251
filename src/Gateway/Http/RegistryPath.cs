namespace Granary.Gateway.Http;

/// <summary>The resources of the protocol, by the shape of their paths.</summary>
public enum Resource
{
    /// <summary><c>/v2/</c></summary>
    Root,

    /// <summary><c>/v2/_catalog</c></summary>
    Catalog,

    /// <summary><c>/v2/_oci/ext/discover</c>, and the same below a repository.</summary>
    Extensions,

    /// <summary><c>/v2/&lt;name&gt;/manifests/&lt;reference&gt;</c></summary>
    Manifest,

    /// <summary><c>/v2/&lt;name&gt;/blobs/&lt;digest&gt;</c></summary>
    Blob,

    /// <summary><c>/v2/&lt;name&gt;/blobs/uploads/</c></summary>
    Uploads,

    /// <summary><c>/v2/&lt;name&gt;/blobs/uploads/&lt;id&gt;</c></summary>
    Upload,

    /// <summary><c>/v2/&lt;name&gt;/tags/list</c></summary>
    Tags,

    /// <summary><c>/v2/&lt;name&gt;/referrers/&lt;digest&gt;</c></summary>
    Referrers,
}

/// <summary>A path of the protocol. It is split from the right, because names contain slashes and the segments after them do not.</summary>
/// <param name="Resource">The resource.</param>
/// <param name="Name">The text in the place of the repository's name, not yet checked; empty if the path has none.</param>
/// <param name="Item">The last segment, percent-decoded and not yet checked: a reference, digest or upload id.</param>
public readonly record struct RegistryPath(Resource Resource, string Name, string Item)
{
    private const string Prefix = "/v2";

    /// <summary>Returns whether a path belongs to the registry's API.</summary>
    public static bool IsRegistry(ReadOnlySpan<char> path) =>
        path.StartsWith(Prefix, StringComparison.Ordinal) && (path.Length == Prefix.Length || path[Prefix.Length] == '/');

    /// <summary>
    /// Reads a raw path that was neither decoded nor normalized: <c>%2F</c> stays part of a segment, and <c>//</c> and <c>..</c> fail the
    /// grammar of names. Returns false if the path is not part of the protocol.
    /// </summary>
    /// <param name="rawPath">The request target without scheme, host and query.</param>
    /// <param name="path">The parts of the path.</param>
    public static bool TryParse(ReadOnlySpan<char> rawPath, out RegistryPath path)
    {
        path = default;
        if (!IsRegistry(rawPath))
        {
            return false;
        }

        var rest = rawPath[Prefix.Length..];
        if (rest is "" or "/")
        {
            path = new RegistryPath(Resource.Root, "", "");
            return true;
        }

        // :: Step 1: the last three segments say which resource it is; the segments before them are the name.
        rest = rest[1..];
        var (beforeLast, last) = SplitLast(rest);
        var (beforeSecond, second) = SplitLast(beforeLast);
        var (beforeThird, third) = SplitLast(beforeSecond);

        // :: Step 2: longer forms first, because an upload's id may be any word.
        path = (third, second, last) switch
        {
            ("_oci", "ext", "discover") => new RegistryPath(Resource.Extensions, beforeThird.ToString(), ""),
            (_, "manifests", _) => new RegistryPath(Resource.Manifest, beforeSecond.ToString(), Decode(last)),
            (_, "referrers", _) => new RegistryPath(Resource.Referrers, beforeSecond.ToString(), Decode(last)),
            (_, "tags", "list") => new RegistryPath(Resource.Tags, beforeSecond.ToString(), ""),
            ("blobs", "uploads", "") => new RegistryPath(Resource.Uploads, beforeThird.ToString(), ""),
            ("blobs", "uploads", _) => new RegistryPath(Resource.Upload, beforeThird.ToString(), Decode(last)),
            (_, "blobs", "uploads") => new RegistryPath(Resource.Uploads, beforeSecond.ToString(), ""),
            (_, "blobs", _) => new RegistryPath(Resource.Blob, beforeSecond.ToString(), Decode(last)),
            ("", "", "_catalog") when rest.Length == last.Length => new RegistryPath(Resource.Catalog, "", ""),
            _ => default,
        };
        return path.Name is not null;
    }

    private static (string Before, string Last) SplitLast(ReadOnlySpan<char> text)
    {
        var slash = text.LastIndexOf('/');
        return slash < 0 ? ("", text.ToString()) : (text[..slash].ToString(), text[(slash + 1)..].ToString());
    }

    private static string Decode(string segment) =>
        segment.Contains('%', StringComparison.Ordinal) ? Uri.UnescapeDataString(segment) : segment;
}
