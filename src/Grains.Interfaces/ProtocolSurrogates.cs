using System.Diagnostics.CodeAnalysis;
using Granary.Protocol;
using Granary.Protocol.Hashing;

namespace Granary.Grains.Interfaces;

// The types of Protocol do not know Orleans. Each of them crosses the wire as the text that it was parsed from.

/// <summary>The form of a <see cref="Digest"/> on the wire.</summary>
[GenerateSerializer, Immutable, Alias("granary.digest")]
public readonly record struct DigestSurrogate([property: Id(0)] string Value);

/// <summary>The form of a <see cref="RepositoryName"/> on the wire.</summary>
[GenerateSerializer, Immutable, Alias("granary.repository-name")]
public readonly record struct RepositoryNameSurrogate([property: Id(0)] string Value);

/// <summary>The form of a <see cref="Tag"/> on the wire.</summary>
[GenerateSerializer, Immutable, Alias("granary.tag")]
public readonly record struct TagSurrogate([property: Id(0)] string Value);

/// <summary>The form of an <see cref="ObjectId"/> on the wire.</summary>
[GenerateSerializer, Immutable, Alias("granary.object-id")]
public readonly record struct ObjectIdSurrogate([property: Id(0)] string Value);

/// <summary>The form of a <see cref="HashState"/> on the wire.</summary>
[GenerateSerializer, Immutable, Alias("granary.hash-state")]
public readonly record struct HashStateSurrogate([property: Id(0)] ReadOnlyMemory<byte> Value);

[RegisterConverter]
[SuppressMessage("Performance", "CA1812", Justification = "The serializer finds and creates it.")]
internal sealed class ProtocolConverter :
    IConverter<Digest, DigestSurrogate>,
    IConverter<RepositoryName, RepositoryNameSurrogate>,
    IConverter<Tag, TagSurrogate>,
    IConverter<ObjectId, ObjectIdSurrogate>,
    IConverter<HashState, HashStateSurrogate>
{
    public Digest ConvertFromSurrogate(in DigestSurrogate surrogate) => Digest.Parse(surrogate.Value);

    public DigestSurrogate ConvertToSurrogate(in Digest value) => new(value.Value);

    public RepositoryName ConvertFromSurrogate(in RepositoryNameSurrogate surrogate) => RepositoryName.Parse(surrogate.Value);

    public RepositoryNameSurrogate ConvertToSurrogate(in RepositoryName value) => new(value.Value);

    public Tag ConvertFromSurrogate(in TagSurrogate surrogate) => Tag.Parse(surrogate.Value);

    public TagSurrogate ConvertToSurrogate(in Tag value) => new(value.Value);

    public ObjectId ConvertFromSurrogate(in ObjectIdSurrogate surrogate) => ObjectId.Parse(surrogate.Value);

    public ObjectIdSurrogate ConvertToSurrogate(in ObjectId value) => new(value.Value);

    public HashState ConvertFromSurrogate(in HashStateSurrogate surrogate) => HashState.Parse(surrogate.Value);

    public HashStateSurrogate ConvertToSurrogate(in HashState value) => new(value.Bytes);
}
