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

/// <summary>A path of the protocol, split from the right: names have slashes, what follows them has not.</summary>
/// <param name="Resource">Which resource.</param>
/// <param name="Name">The text that stands where the repository's name does; empty where the path has none. Not yet checked.</param>
/// <param name="Item">The last segment, percent-decoded: reference, digest or upload id. Not yet checked.</param>
public readonly record struct RegistryPath(Resource Resource, string Name, string Item)
{
    /// <summary>
    /// Reads the raw request target, before anything decodes or normalizes it: <c>%2F</c> stays part of a segment, <c>//</c> and <c>..</c> are what they are
    /// and so fail the grammar of names. False for a path that is not of the protocol.
    /// </summary>
    public static bool TryParse(string rawTarget, out RegistryPath path) => throw new NotSupportedException(rawTarget);
}
