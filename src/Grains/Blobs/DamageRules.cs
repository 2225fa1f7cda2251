using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Blobs;

/// <summary>Decides about blobs whose bytes or rows are damaged, over a shard's rows.</summary>
internal static class DamageRules
{
    /// <summary>Marks a blob as damaged. Returns false if the blob is gone or has another object.</summary>
    public static bool MarkDamaged(RowBatch rows, Digest digest, ObjectId? id, DateTimeOffset now)
    {
        if (BlobRow.Find(rows, digest) is not { } blob || blob.Object != id)
        {
            return false;
        }

        rows.Put(BlobRows.Blob(digest), (blob with { IsDamaged = true }).Encode());
        rows.Put(BlobRows.DueCorrection(now, digest), BlobRows.Mark);
        return true;
    }

    /// <summary>
    /// Gives a damaged blob an object that has its bytes. Returns false if the blob is not damaged, or the object is to be deleted.
    /// </summary>
    public static bool Adopt(RowBatch rows, Digest digest, ObjectContent found, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        if (rows.Has(BlobRows.Tombstone(found.Object)) || rows.Has(BlobRows.Doom(found.Object))
            || BlobRow.Find(rows, digest) is not { IsDamaged: true } damaged
            || Replace(rows, digest, found, damaged, now, lifetimes) is not { } whole)
        {
            return false;
        }

        BlobRow.Store(rows, digest, damaged, whole);
        return true;
    }

    /// <summary>
    /// Returns the row of a damaged blob with new content; null if there is none. The sweep passes the correction on to the repositories.
    /// Until then they answer as if they had no such blob.
    /// </summary>
    public static BlobRow? Replace(
        RowBatch rows,
        Digest digest,
        BlobContent? content,
        BlobRow damaged,
        DateTimeOffset now,
        LifetimeOptions lifetimes)
    {
        if (content is null || (content is ObjectContent { Object: var id } && id == damaged.Object))
        {
            return null;
        }

        if (damaged.Object is { } old)
        {
            OrphanRules.Doom(rows, digest, old, now, lifetimes);
        }
        else if (content is ObjectContent)
        {
            rows.Delete(BlobRows.Bytes(digest));
        }

        rows.Put(BlobRows.DueCorrection(now, digest), BlobRows.Mark);
        return AcquireRules.Create(rows, digest, content)! with { References = damaged.References, OrphanDue = damaged.OrphanDue };
    }

    /// <summary>
    /// Replaces an unreadable row with that of a damaged blob, which the next upload or an orphaned object mends. Returns false if the row
    /// can be read, or if a newer release wrote it.
    /// </summary>
    public static bool Repair(RowBatch rows, Digest digest, int references, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        if (!IsUnreadable(rows, digest))
        {
            return false;
        }

        // The name of the object is lost with the row. The object is an orphan now, and a scrub finds it by the digest in its name.
        var orphanDue = references == 0 ? now + lifetimes.BlobGrace : (DateTimeOffset?)null;
        BlobRow.Store(rows, digest, before: null, new BlobRow(Object: null, Size: 0, references, orphanDue, IsDamaged: true));
        return true;
    }

    private static bool IsUnreadable(RowView rows, Digest digest)
    {
        try
        {
            _ = BlobRow.Find(rows, digest);
            return false;
        }
        catch (FormatException)
        {
            // A newer release wrote a row with a newer version, and can read it.
            return rows.Get(BlobRows.Blob(digest)) is not { IsEmpty: false } row || row.Span[0] <= BlobRow.Version;
        }
    }
}
