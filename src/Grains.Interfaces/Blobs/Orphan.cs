using Granary.Protocol;

namespace Granary.Grains.Interfaces.Blobs;

/// <summary>A blob without references whose grace period has ended.</summary>
/// <param name="Digest">The blob.</param>
/// <param name="Size">Its size in bytes.</param>
/// <param name="Due">The time of its due row.</param>
[GenerateSerializer, Immutable, Alias("granary.orphan")]
public sealed record Orphan([property: Id(0)] Digest Digest, [property: Id(1)] long Size, [property: Id(2)] DateTimeOffset Due);
