using Granary.Protocol;

namespace Granary.Grains.Interfaces.Blobs;

/// <summary>What the sweep did with the entries of a <see cref="ShardDue"/>.</summary>
/// <param name="Confirmed">References that their repositories still need. Their leases are extended.</param>
/// <param name="Denied">References that their repositories denied. They are removed.</param>
/// <param name="Orphans">Orphaned blobs to remove, as they were due.</param>
/// <param name="Deleted">Doomed objects that the sweep has deleted from the blob store.</param>
/// <param name="Tombstones">Tombstones to remove, as they were due.</param>
/// <param name="Corrected">Corrections that all repositories have received.</param>
[GenerateSerializer, Immutable, Alias("granary.shard-settlement")]
public sealed record ShardSettlement(
    [property: Id(0)] DueReference[] Confirmed,
    [property: Id(1)] DueReference[] Denied,
    [property: Id(2)] Orphan[] Orphans,
    [property: Id(3)] DoomedObject[] Deleted,
    [property: Id(4)] ObjectId[] Tombstones,
    [property: Id(5)] Correction[] Corrected);
