using System.Diagnostics.CodeAnalysis;

namespace Granary.Protocol;

/// <summary>The shape of a manifest. Its media type may be any.</summary>
public enum ManifestKind
{
    /// <summary><c>config</c> and <c>layers</c>: an image or an artifact.</summary>
    Image,

    /// <summary><c>manifests</c>: an index or manifest list.</summary>
    Index,
}

/// <summary>
/// A parsed manifest: an OCI image manifest or index, a Docker schema 2 manifest or manifest list, or another <c>+json</c> type of the same
/// shape (OCI image specification, "Image Manifest" and "Image Index"). The registry keeps the bytes exactly as pushed, and ignores unknown
/// members.
/// </summary>
public sealed record Manifest
{
    /// <summary>The size of the largest manifest, in bytes (OCI distribution specification: at least 4 MiB).</summary>
    public const int MaxSize = 4 * 1024 * 1024;

    /// <summary>The media type: the <c>mediaType</c> of the manifest, or that of the push.</summary>
    public required string MediaType { get; init; }

    /// <summary>The shape.</summary>
    public required ManifestKind Kind { get; init; }

    /// <summary>The configuration, of an image.</summary>
    public Descriptor? Config { get; init; }

    /// <summary>The layers of an image, in order. Empty for an index.</summary>
    public IReadOnlyList<Descriptor> Layers { get; init; } = [];

    /// <summary>The children of an index, in order. Empty for an image.</summary>
    public IReadOnlyList<Descriptor> Manifests { get; init; } = [];

    /// <summary>The manifest that this one refers to.</summary>
    public Descriptor? Subject { get; init; }

    /// <summary>The manifest's own <c>artifactType</c>.</summary>
    public string? ArtifactType { get; init; }

    /// <summary>The manifest's own annotations.</summary>
    public IReadOnlyDictionary<string, string> Annotations { get; init; } = new Dictionary<string, string>();

    /// <summary>
    /// The artifact type under which the referrers API lists this manifest: its own, or the media type of an image's configuration. Null
    /// for an index without one (OCI distribution specification, "Listing Referrers").
    /// </summary>
    public string? ReferrerArtifactType =>
        !string.IsNullOrEmpty(ArtifactType) ? ArtifactType : Config?.MediaType is { Length: > 0 } type ? type : null;

    /// <summary>The blobs that the repository has to have: the configuration and the layers that are not foreign, each once.</summary>
    public IEnumerable<Digest> Blobs =>
        Referenced(Config is null ? [] : [Config]).Concat(Referenced(Layers.Where(layer => !layer.IsForeign))).Distinct();

    /// <summary>The blobs that the repository may lack: foreign layers, each once.</summary>
    public IEnumerable<Digest> ForeignBlobs => Referenced(Layers.Where(layer => layer.IsForeign)).Except(Blobs);

    /// <summary>The children of an index, each once.</summary>
    public IEnumerable<Digest> Children => Referenced(Manifests).Distinct();

    /// <summary>
    /// Parses a manifest. Checks that it is well-formed JSON of bounded depth, that it has one shape only (CVE-2021-41190), that its
    /// <c>mediaType</c> agrees with <paramref name="contentType"/>, and that every descriptor is valid.
    /// </summary>
    /// <param name="body">The bytes, at most <see cref="MaxSize"/>.</param>
    /// <param name="contentType">The media type of the push, with or without parameters; null if it named none.</param>
    /// <param name="manifest">The manifest, if this returns true.</param>
    /// <param name="error">What is wrong and how to mend it, if this returns false: <see cref="RegistryError.ManifestInvalid"/>, or
    /// <see cref="RegistryError.DigestInvalid"/> for the digest of a descriptor.</param>
    public static bool TryParse(
        ReadOnlyMemory<byte> body,
        string? contentType,
        [NotNullWhen(true)] out Manifest? manifest,
        [NotNullWhen(false)] out RegistryError? error) => ManifestParser.TryParse(body, contentType, out manifest, out error);

    private static IEnumerable<Digest> Referenced(IEnumerable<Descriptor> descriptors) =>
        descriptors.Select(descriptor => descriptor.Digest);
}
