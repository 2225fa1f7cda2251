namespace Granary.Protocol;

/// <summary>
/// The media types that the registry knows. It accepts any other <c>…+json</c> type of a manifest that has a known shape.
/// </summary>
public static class MediaTypes
{
    /// <summary>OCI image manifest.</summary>
    public const string OciManifest = "application/vnd.oci.image.manifest.v1+json";

    /// <summary>OCI image index.</summary>
    public const string OciIndex = "application/vnd.oci.image.index.v1+json";

    /// <summary>Docker image manifest, version 2, schema 2.</summary>
    public const string DockerManifest = "application/vnd.docker.distribution.manifest.v2+json";

    /// <summary>Docker manifest list: an index.</summary>
    public const string DockerManifestList = "application/vnd.docker.distribution.manifest.list.v2+json";

    /// <summary>Docker manifest, version 2, schema 1; refused.</summary>
    public const string DockerSchema1 = "application/vnd.docker.distribution.manifest.v1+json";

    /// <summary>Docker manifest, version 2, schema 1, signed; refused.</summary>
    public const string DockerSchema1Signed = "application/vnd.docker.distribution.manifest.v1+prettyjws";

    /// <summary>Content of unknown type. The registry serves blobs as this type.</summary>
    public const string OctetStream = "application/octet-stream";

    /// <summary>Returns whether a layer of this type may be absent: clients fetch it from the <c>urls</c> of its descriptor.</summary>
    public static bool IsForeignLayer(string mediaType) =>
        mediaType.Contains(".layer.nondistributable.", StringComparison.Ordinal)
        || mediaType.Contains(".rootfs.foreign.", StringComparison.Ordinal);

    /// <summary>Returns the type without its parameters, in lower case: <c>Text/JSON; charset=utf-8</c> is <c>text/json</c>.</summary>
    public static string WithoutParameters(string mediaType)
    {
        var end = mediaType.IndexOf(';', StringComparison.Ordinal);
        return (end < 0 ? mediaType : mediaType[..end]).Trim().ToLowerInvariant();
    }
}
