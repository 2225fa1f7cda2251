using Granary.Protocol;

namespace Granary.Grains.Interfaces.Blobs;

/// <summary>The entries of a shard that are due.</summary>
/// <param name="References">References whose leases have ended. The sweep asks their repositories.</param>
/// <param name="Orphans">Blobs without references whose grace period has ended.</param>
/// <param name="Doomed">Doomed objects to delete now.</param>
/// <param name="Tombstones">Objects whose tombstones, or rows of a finished deletion, are no longer needed.</param>
/// <param name="Corrections">Blobs whose repositories need to learn which content counts.</param>
/// <param name="More">Whether the limit left out entries that may be due.</param>
[GenerateSerializer, Immutable, Alias("granary.shard-due")]
public sealed record ShardDue(
    [property: Id(0)] DueReference[] References,
    [property: Id(1)] Orphan[] Orphans,
    [property: Id(2)] DoomedObject[] Doomed,
    [property: Id(3)] ObjectId[] Tombstones,
    [property: Id(4)] Correction[] Corrections,
    [property: Id(5)] bool More)
{
    /// <summary>The number of entries.</summary>
    public int Count => References.Length + Orphans.Length + Doomed.Length + Tombstones.Length + Corrections.Length;
}
