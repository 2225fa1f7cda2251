namespace Granary.Protocol;

/// <summary>
/// A typed, sized pointer to content, as far as the registry needs it (OCI image specification, "OCI Content Descriptors").
/// </summary>
/// <param name="MediaType">The type of the content; empty if the manifest gives none.</param>
/// <param name="Digest">The address of the content.</param>
/// <param name="Size">Bytes.</param>
public sealed record Descriptor(string MediaType, Digest Digest, long Size)
{
    /// <summary>The operating system and architecture, if an index names them: <c>linux</c>, <c>amd64</c>.</summary>
    public Platform? Platform { get; init; }

    /// <summary>Whether the content may be absent from the registry (a foreign layer).</summary>
    public bool IsForeign => MediaTypes.IsForeignLayer(MediaType);
}

/// <summary>The platform of an index's child (OCI image index specification, <c>platform</c>).</summary>
/// <param name="Os">For example <c>linux</c>.</param>
/// <param name="Architecture">For example <c>amd64</c>.</param>
public sealed record Platform(string Os, string Architecture);
