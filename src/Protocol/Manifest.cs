using System.Diagnostics.CodeAnalysis;

namespace Granary.Protocol;

/// <summary>What shape a manifest has, whatever its media type is called.</summary>
public enum ManifestKind
{
    /// <summary><c>config</c> and <c>layers</c>: an image or an artifact.</summary>
    Image,

    /// <summary><c>manifests</c>: an index or manifest list.</summary>
    Index,
}

/// <summary>
/// A manifest that was read from its bytes: one parser for OCI image manifests and indexes, Docker schema 2 and manifest lists, and
/// other <c>+json</c> types that have their shape (OCI image specification, "Image Manifest" and "Image Index"). The bytes are
/// kept beside it, exactly as pushed; unknown fields are ignored.
/// </summary>
public sealed record Manifest
{
    /// <summary>The largest manifest accepted, in bytes (OCI distribution specification: at least 4 MiB).</summary>
    public const int MaxSize = 4 * 1024 * 1024;

    /// <summary>The media type: the manifest's own <c>mediaType</c>, or the one it was pushed with.</summary>
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
    /// The artifact type under which the referrers API lists this manifest: its own, or of an image the media type of its configuration; null for an
    /// index without one (OCI distribution specification, "Listing Referrers").
    /// </summary>
    public string? ReferrerArtifactType => !string.IsNullOrEmpty(ArtifactType) ? ArtifactType : Config?.MediaType is { Length: > 0 } type ? type : null;

    /// <summary>The blobs that have to be where the manifest is: configuration and layers that are not foreign, each once.</summary>
    public IEnumerable<Digest> Blobs => Referenced(Config is null ? [] : [Config]).Concat(Referenced(Layers.Where(layer => !layer.IsForeign))).Distinct();

    /// <summary>The blobs that may be elsewhere: foreign layers, each once.</summary>
    public IEnumerable<Digest> ForeignBlobs => Referenced(Layers.Where(layer => layer.IsForeign)).Except(Blobs);

    /// <summary>The children of an index, each once.</summary>
    public IEnumerable<Digest> Children => Referenced(Manifests).Distinct();

    /// <summary>
    /// Reads a manifest. Checks that it is well-formed JSON of bounded depth, is of one shape only (CVE-2021-41190), that its
    /// <c>mediaType</c> agrees with <paramref name="contentType"/>, and that every descriptor is valid.
    /// </summary>
    /// <param name="body">The bytes, at most <see cref="MaxSize"/>.</param>
    /// <param name="contentType">The media type it was pushed with, with or without parameters; null where there was none.</param>
    /// <param name="manifest">The manifest, if this returns true.</param>
    /// <param name="error">What is wrong and how to mend it (<see cref="RegistryError.ManifestInvalid"/>, or <see cref="RegistryError.DigestInvalid"/>
    /// for a descriptor's digest), if this returns false.</param>
    public static bool TryParse(
        ReadOnlyMemory<byte> body,
        string? contentType,
        [NotNullWhen(true)] out Manifest? manifest,
        [NotNullWhen(false)] out RegistryError? error) => ManifestParser.TryParse(body, contentType, out manifest, out error);

    private static IEnumerable<Digest> Referenced(IEnumerable<Descriptor> descriptors) => descriptors.Select(descriptor => descriptor.Digest);
}
