using Granary.Protocol;

namespace Granary.Grains.Interfaces.Blobs;

/// <summary>What a shard knows of a blob.</summary>
/// <param name="Digest">The blob.</param>
/// <param name="Content">Its object; null for a small blob, whose bytes are in a row.</param>
/// <param name="Size">Its size in bytes.</param>
/// <param name="References">The number of repositories that refer to it.</param>
/// <param name="OrphanDue">When its grace period ends; null while repositories refer to it.</param>
/// <param name="IsDamaged">Whether its bytes are known to be damaged.</param>
/// <param name="Leases">The first of the references to it, with the ends of their leases; empty in an answer about many blobs.</param>
[GenerateSerializer, Immutable, Alias("granary.shard-blob")]
public sealed record ShardBlob(
    [property: Id(0)] Digest Digest,
    [property: Id(1)] ObjectId? Content,
    [property: Id(2)] long Size,
    [property: Id(3)] int References,
    [property: Id(4)] DateTimeOffset? OrphanDue,
    [property: Id(5)] bool IsDamaged,
    [property: Id(6)] DueReference[] Leases);
