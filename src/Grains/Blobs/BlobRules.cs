using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Blobs;

/// <summary>The rules of references to blobs, as pure decisions over a shard's rows (docs/architecture.md, "Blob references").</summary>
internal static class BlobRules
{
    /// <summary>Rule 3.</summary>
    public static AcquireAnswer Acquire(RowBatch rows, AcquireBlob command, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        if (command.Content is ObjectContent { Object: var id })
        {
            // late: the call was delayed until after Renounce had to decide about the object, and its tombstone may be gone again.
            // tomb: the object is being deleted, or will be.
            if (now > command.Deadline || rows.Has(BlobRows.Tombstone(id)) || rows.Has(BlobRows.Doom(id)))
            {
                return new AcquireExpired();
            }
        }

        var before = BlobRow.Find(rows, command.Digest);
        if ((before ?? Create(rows, command)) is not { } blob)
        {
            return new AcquireUnknown();
        }

        var reference = ReferenceRow.Find(rows, command.Digest, command.Repository);
        if (reference is null)
        {
            blob = blob with { References = blob.References + 1 };
        }

        if (reference is null || reference.Sequence < command.Sequence)
        {
            var due = now + lifetimes.FirstLease;
            if (reference is not null)
            {
                rows.Delete(BlobRows.DueReference(reference.LeaseUntil, command.Digest, command.Repository));
            }

            rows.Put(BlobRows.Reference(command.Digest, command.Repository), new ReferenceRow(command.Sequence, due, Affirmed: 0).Encode());
            rows.Put(BlobRows.DueReference(due, command.Digest, command.Repository), BlobRows.Mark);
        }

        Store(rows, command.Digest, before, blob with { OrphanDue = null });
        return new Acquired(Content(rows, command, blob));
    }

    /// <summary>Rule 6: removes a reference that is not newer than what released it (<c>seq</c>).</summary>
    public static bool Release(RowBatch rows, Digest digest, RepositoryName repository, long sequence, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        if (ReferenceRow.Find(rows, digest, repository) is not { } reference || reference.Sequence > sequence)
        {
            return false;
        }

        DropReference(rows, digest, repository, reference, now, lifetimes);
        return true;
    }

    /// <summary>Rule 8: the object is the blob's, or nobody's for ever (<c>ren</c>).</summary>
    public static RenounceAnswer Renounce(RowBatch rows, Digest digest, ObjectId id, DateTimeOffset deadline)
    {
        if (BlobRow.Find(rows, digest)?.Object == id)
        {
            return RenounceAnswer.Adopted;
        }

        if (!rows.Has(BlobRows.Tombstone(id)) && !rows.Has(BlobRows.Doom(id)))
        {
            // A delayed Acquire of this object is refused by its deadline when the tombstone is gone.
            var until = deadline + LifetimeOptions.TombstoneMargin;
            rows.Put(BlobRows.Tombstone(id), new RowWriter(1).Time(until).ToValue());
            rows.Put(BlobRows.DueTombstone(until, id), BlobRows.Mark);
        }

        return RenounceAnswer.Renounced;
    }

    private static void DropReference(
        RowBatch rows,
        Digest digest,
        RepositoryName repository,
        ReferenceRow reference,
        DateTimeOffset now,
        LifetimeOptions lifetimes)
    {
        rows.Delete(BlobRows.Reference(digest, repository));
        rows.Delete(BlobRows.DueReference(reference.LeaseUntil, digest, repository));
        if (BlobRow.Find(rows, digest) is { } blob)
        {
            Store(rows, digest, blob, blob.References > 1
                ? blob with { References = blob.References - 1 }
                : blob with { References = 0, OrphanDue = now + lifetimes.BlobGrace });
        }
    }

    /// <summary>The row of a blob that is new; null for a mount, which cannot make one.</summary>
    private static BlobRow? Create(RowBatch rows, AcquireBlob command)
    {
        if (command.Content is InlineContent inline)
        {
            rows.Put(BlobRows.Bytes(command.Digest), BlobBytesRow.Encode(inline));
        }

        return command.Content is { } content ? new BlobRow((content as ObjectContent)?.Object, content.Size, References: 0, OrphanDue: null) : null;
    }

    /// <summary>The content that counts. The caller's own object, if there is another, is left to Renounce (<c>own</c>).</summary>
    private static BlobContent Content(RowBatch rows, AcquireBlob command, BlobRow blob) => blob.Object is { } id
        ? new ObjectContent(id, blob.Size)
        : command.Content as InlineContent
            ?? BlobBytesRow.Find(rows, command.Digest)
            ?? throw new FormatException($"The content of the small blob {command.Digest} is missing.");

    private static void Store(RowBatch rows, Digest digest, BlobRow? before, BlobRow after)
    {
        if (before == after)
        {
            return;
        }

        rows.Put(BlobRows.Blob(digest), after.Encode());
        if (before?.OrphanDue is { } old && old != after.OrphanDue)
        {
            rows.Delete(BlobRows.DueOrphan(old, digest));
        }

        if (after.OrphanDue is { } due && due != before?.OrphanDue)
        {
            rows.Put(BlobRows.DueOrphan(due, digest), BlobRows.Mark);
        }
    }
}
