using Granary.Protocol;

namespace Granary.Grains.Interfaces.Blobs;

/// <summary>An object that no blob uses any more.</summary>
/// <param name="Object">The object.</param>
/// <param name="Digest">The digest that it is sealed under, which is part of its name in the blob store.</param>
[GenerateSerializer, Immutable, Alias("granary.doomed-object")]
public sealed record DoomedObject([property: Id(0)] ObjectId Object, [property: Id(1)] Digest Digest);
