using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Blobs;

/// <summary>Decides about orphaned blobs and doomed objects, over a shard's rows.</summary>
internal static class OrphanRules
{
    /// <summary>Removes a blob whose grace period has ended. From then on its digest is unknown, and its object is doomed.</summary>
    public static void Remove(RowBatch rows, Orphan orphan, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        // An acquire since Due, even if its reference was released again, has changed the time of the orphan.
        if (BlobRow.Find(rows, orphan.Digest) is not { References: 0, OrphanDue: { } due } blob || due != orphan.Due)
        {
            return;
        }

        rows.Delete(BlobRows.Blob(orphan.Digest));
        rows.Delete(BlobRows.DueOrphan(due, orphan.Digest));
        if (blob.Object is { } id)
        {
            Doom(rows, orphan.Digest, id, now, lifetimes);
        }
        else
        {
            rows.Delete(BlobRows.Bytes(orphan.Digest));
        }
    }

    /// <summary>Dooms an object that no blob uses any more. The sweep deletes it after the deletion delay.</summary>
    public static void Doom(RowBatch rows, Digest digest, ObjectId id, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        var deletion = now + lifetimes.DeletionDelay;
        rows.Put(BlobRows.Doom(id), new DoomRow(digest, deletion, IsDeleted: false).Encode());
        rows.Put(BlobRows.DueDoom(deletion, id), BlobRows.Mark);
    }

    /// <summary>
    /// Records that the sweep has deleted a doomed object. The row stays as long as a delayed Acquire of the object can come (<c>tomb</c>).
    /// </summary>
    public static void RecordDeleted(RowBatch rows, DoomedObject deleted)
    {
        if (DoomRow.Find(rows, deleted.Object) is not { IsDeleted: false } doom)
        {
            return;
        }

        var until = doom.Due + LifetimeOptions.SealDeadline + LifetimeOptions.TombstoneMargin;
        rows.Delete(BlobRows.DueDoom(doom.Due, deleted.Object));
        rows.Put(BlobRows.Doom(deleted.Object), new DoomRow(deleted.Digest, until, IsDeleted: true).Encode());
        rows.Put(BlobRows.DueTombstone(until, deleted.Object), BlobRows.Mark);
    }

    /// <summary>Removes the tombstone of an object, or the row of its deletion, if its time has come.</summary>
    public static void RemoveTombstone(RowBatch rows, ObjectId id, DateTimeOffset now)
    {
        if (DoomRow.Find(rows, id) is { IsDeleted: true } doom && doom.Due <= now)
        {
            rows.Delete(BlobRows.Doom(id));
            rows.Delete(BlobRows.DueTombstone(doom.Due, id));
        }

        if (rows.Get(BlobRows.Tombstone(id)) is { } value && new RowReader(value, 1).Time() is var until && until <= now)
        {
            rows.Delete(BlobRows.Tombstone(id));
            rows.Delete(BlobRows.DueTombstone(until, id));
        }
    }
}
