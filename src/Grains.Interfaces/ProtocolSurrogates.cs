using System.Diagnostics.CodeAnalysis;
using Granary.Protocol;

namespace Granary.Grains.Interfaces;

// Protocol's types do not know Orleans; each crosses the wire as the text that it was parsed from.

/// <summary>How a <see cref="Digest"/> crosses the wire.</summary>
[GenerateSerializer, Immutable, Alias("granary.digest")]
public readonly record struct DigestSurrogate([property: Id(0)] string Value);

/// <summary>How a <see cref="RepositoryName"/> crosses the wire.</summary>
[GenerateSerializer, Immutable, Alias("granary.repository-name")]
public readonly record struct RepositoryNameSurrogate([property: Id(0)] string Value);

/// <summary>How a <see cref="Tag"/> crosses the wire.</summary>
[GenerateSerializer, Immutable, Alias("granary.tag")]
public readonly record struct TagSurrogate([property: Id(0)] string Value);

/// <summary>How an <see cref="ObjectId"/> crosses the wire.</summary>
[GenerateSerializer, Immutable, Alias("granary.object-id")]
public readonly record struct ObjectIdSurrogate([property: Id(0)] string Value);

[RegisterConverter]
[SuppressMessage("Performance", "CA1812", Justification = "Found and made by the serializer.")]
internal sealed class ProtocolConverter :
    IConverter<Digest, DigestSurrogate>,
    IConverter<RepositoryName, RepositoryNameSurrogate>,
    IConverter<Tag, TagSurrogate>,
    IConverter<ObjectId, ObjectIdSurrogate>
{
    public Digest ConvertFromSurrogate(in DigestSurrogate surrogate) => Digest.Parse(surrogate.Value);

    public DigestSurrogate ConvertToSurrogate(in Digest value) => new(value.Value);

    public RepositoryName ConvertFromSurrogate(in RepositoryNameSurrogate surrogate) => RepositoryName.Parse(surrogate.Value);

    public RepositoryNameSurrogate ConvertToSurrogate(in RepositoryName value) => new(value.Value);

    public Tag ConvertFromSurrogate(in TagSurrogate surrogate) => Tag.Parse(surrogate.Value);

    public TagSurrogate ConvertToSurrogate(in Tag value) => new(value.Value);

    public ObjectId ConvertFromSurrogate(in ObjectIdSurrogate surrogate) => ObjectId.Parse(surrogate.Value);

    public ObjectIdSurrogate ConvertToSurrogate(in ObjectId value) => new(value.Value);
}
