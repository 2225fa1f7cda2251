using Granary.Protocol;

namespace Granary.Grains.Interfaces.Blobs;

/// <summary>A page of a shard's blobs.</summary>
/// <param name="Blobs">The blobs, in the order of their digests.</param>
/// <param name="Unreadable">Blobs whose rows are damaged.</param>
/// <param name="After">Where the next page begins; null if this is the last one.</param>
[GenerateSerializer, Immutable, Alias("granary.shard-page")]
public sealed record ShardPage(
    [property: Id(0)] ShardBlob[] Blobs,
    [property: Id(1)] Digest[] Unreadable,
    [property: Id(2)] Digest? After);
