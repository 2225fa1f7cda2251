using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Partitions;

namespace Granary.Grains.Blobs;

/// <summary>Records in a shard's rows what the sweep did with the entries that were due (<c>settle</c>).</summary>
internal static class SettleRules
{
    /// <summary>Applies each part of a settlement. An entry that has changed since it was due stays as it is.</summary>
    public static bool Settle(RowBatch rows, ShardSettlement settlement, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        SettleReferences(rows, settlement, now, lifetimes);
        foreach (var orphan in settlement.Orphans)
        {
            OrphanRules.Remove(rows, orphan, now, lifetimes);
        }

        foreach (var deleted in settlement.Deleted)
        {
            OrphanRules.RecordDeleted(rows, deleted);
        }

        foreach (var id in settlement.Tombstones)
        {
            OrphanRules.RemoveTombstone(rows, id, now);
        }

        foreach (var corrected in settlement.Corrected)
        {
            RemoveCorrection(rows, corrected);
        }

        return true;
    }

    private static void SettleReferences(RowBatch rows, ShardSettlement settlement, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        foreach (var confirmed in settlement.Confirmed)
        {
            ReferenceRules.Confirm(rows, confirmed, now, lifetimes);
        }

        foreach (var denied in settlement.Denied)
        {
            ReferenceRules.Deny(rows, denied, now, lifetimes);
        }
    }

    private static void RemoveCorrection(RowBatch rows, Correction corrected)
    {
        var key = BlobRows.DueCorrection(corrected.Due, corrected.Digest);
        if (rows.Has(key))
        {
            rows.Delete(key);
        }
    }
}
