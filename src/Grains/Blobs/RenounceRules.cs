using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Blobs;

/// <summary>Decides about the objects of uploads, over a shard's rows.</summary>
internal static class RenounceRules
{
    /// <summary>Confirms that the object backs the blob, or writes a tombstone for it (<c>ren</c>).</summary>
    public static RenounceAnswer Renounce(RowBatch rows, Digest digest, ObjectId id, DateTimeOffset deadline)
    {
        if (IsAdopted(rows, digest, id))
        {
            return RenounceAnswer.Adopted;
        }

        if (!rows.Has(BlobRows.Tombstone(id)))
        {
            // late: when the tombstone is removed, the deadline refuses a delayed Acquire of this object.
            var until = deadline + LifetimeOptions.TombstoneMargin;
            rows.Put(BlobRows.Tombstone(id), new RowWriter(1).Time(until).ToValue());
            rows.Put(BlobRows.DueTombstone(until, id), BlobRows.Mark);
        }

        return RenounceAnswer.Renounced;
    }

    /// <summary>
    /// Whether the object is the blob's, or was and is doomed. The shard lets the sweep delete a doomed object after the deletion delay.
    /// </summary>
    public static bool IsAdopted(RowView rows, Digest digest, ObjectId id) =>
        BlobRow.Find(rows, digest)?.Object == id || rows.Has(BlobRows.Doom(id));
}
