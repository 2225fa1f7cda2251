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
        if ((before is { IsDamaged: true } damaged ? Replace(rows, command.Digest, command.Content, damaged, now, lifetimes) : before ?? Create(rows, command.Digest, command.Content)) is not { } blob)
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

            rows.Put(BlobRows.Reference(command.Digest, command.Repository), new ReferenceRow(command.Sequence, due, Renewals: 0).Encode());
            rows.Put(BlobRows.DueReference(due, command.Digest, command.Repository), BlobRows.Mark);
        }

        Store(rows, command.Digest, before, blob with { OrphanDue = null });

        // fence: that the reference is there already is no reason to believe what a stale activation remembers of the blob.
        rows.Fence();
        return new Acquired(Content(rows, command, blob));
    }

    /// <summary>Rule 6: removes references that are not newer than what released them (<c>seq</c>).</summary>
    public static bool Release(RowBatch rows, ReleasedReference[] references, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        foreach (var (digest, repository, sequence) in references)
        {
            if (ReferenceRow.Find(rows, digest, repository) is { } reference && reference.Sequence <= sequence)
            {
                DropReference(rows, digest, repository, reference, now, lifetimes);
            }
        }

        return true;
    }

    /// <summary>Rule 8: the object is the blob's, or nobody's for ever (<c>ren</c>).</summary>
    public static RenounceAnswer Renounce(RowBatch rows, Digest digest, ObjectId id, DateTimeOffset deadline)
    {
        if (IsAdopted(rows, digest, id))
        {
            return RenounceAnswer.Adopted;
        }

        if (!rows.Has(BlobRows.Tombstone(id)))
        {
            // A delayed Acquire of this object is refused by its deadline when the tombstone is gone.
            var until = deadline + LifetimeOptions.TombstoneMargin;
            rows.Put(BlobRows.Tombstone(id), new RowWriter(1).Time(until).ToValue());
            rows.Put(BlobRows.DueTombstone(until, id), BlobRows.Mark);
        }

        return RenounceAnswer.Renounced;
    }

    /// <summary>Returns whether the object is a blob's. One that was, and is doomed, is deleted after its hold by the shard.</summary>
    public static bool IsAdopted(RowView rows, Digest digest, ObjectId id) => BlobRow.Find(rows, digest)?.Object == id || rows.Has(BlobRows.Doom(id));

    /// <summary>Rule 7: what became of references, orphans, and objects that are doomed or remembered.</summary>
    public static bool Settle(RowBatch rows, ShardSettlement settlement, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        foreach (var held in settlement.Held)
        {
            Extend(rows, held, now, lifetimes);
        }

        foreach (var dropped in settlement.Dropped)
        {
            if (Unchanged(rows, dropped) is { } reference)
            {
                DropReference(rows, dropped.Digest, dropped.Repository, reference, now, lifetimes);
            }
        }

        foreach (var orphan in settlement.Orphans)
        {
            Doom(rows, orphan, now, lifetimes);
        }

        foreach (var (id, digest) in settlement.Deleted)
        {
            if (DoomRow.Find(rows, id) is { IsDeleted: false } doom)
            {
                // A delayed Acquire of the object must find this as long as its deadline can be ahead.
                var until = doom.Due + LifetimeOptions.SealDeadline + LifetimeOptions.TombstoneMargin;
                rows.Delete(BlobRows.DueDoom(doom.Due, id));
                rows.Put(BlobRows.Doom(id), new DoomRow(digest, until, IsDeleted: true).Encode());
                rows.Put(BlobRows.DueTombstone(until, id), BlobRows.Mark);
            }
        }

        foreach (var id in settlement.Remembered)
        {
            Forget(rows, id, now);
        }

        foreach (var corrected in settlement.Corrected)
        {
            var key = BlobRows.DueCorrection(corrected.Due, corrected.Digest);
            if (rows.Has(key))
            {
                rows.Delete(key);
            }
        }

        return true;
    }

    /// <summary>Notes that the blob's object does not hold what it should; false if the blob is another object's.</summary>
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

    /// <summary>Gives a damaged blob whole bytes that were found; false if it needs none, or they are to be deleted.</summary>
    public static bool Adopt(RowBatch rows, Digest digest, ObjectContent found, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        if (rows.Has(BlobRows.Tombstone(found.Object)) || rows.Has(BlobRows.Doom(found.Object))
            || BlobRow.Find(rows, digest) is not { IsDamaged: true } damaged
            || Replace(rows, digest, found, damaged, now, lifetimes) is not { } whole)
        {
            return false;
        }

        Store(rows, digest, damaged, whole);
        return true;
    }

    /// <summary>Makes a row that cannot be read one of a damaged blob, which the next upload, or an object that is found, mends; false if it can be read.</summary>
    public static bool Repair(RowBatch rows, Digest digest, int references, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        try
        {
            _ = BlobRow.Find(rows, digest);
            return false;
        }
        catch (FormatException) when (rows.Get(BlobRows.Blob(digest)) is not { IsEmpty: false } row || row.Span[0] <= BlobRow.Version)
        {
            // What it says is lost, also which object it was: that has no owner now, and can be adopted by its name.
            Store(rows, digest, before: null, new BlobRow(Object: null, Size: 0, references, references == 0 ? now + lifetimes.BlobGrace : null, IsDamaged: true));
            return true;
        }
        catch (FormatException)
        {
            // A newer release wrote it, and can read it.
            return false;
        }
    }

    /// <summary>Where a blob's bytes are; null if there is no such blob.</summary>
    public static BlobContent? Content(RowView rows, Digest digest) => BlobRow.Find(rows, digest) switch
    {
        null => null,
        { Object: { } id } blob => new ObjectContent(id, blob.Size),
        _ => BlobBytesRow.Find(rows, digest),
    };

    /// <summary>The reference, if nothing has happened to it since it was due (<c>settle</c>).</summary>
    private static ReferenceRow? Unchanged(RowView rows, DueReference due) =>
        ReferenceRow.Find(rows, due.Digest, due.Repository) is { } reference && reference.Sequence == due.Sequence && reference.LeaseUntil == due.LeaseUntil
            ? reference
            : null;

    /// <summary>A yes.</summary>
    private static void Extend(RowBatch rows, DueReference due, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        if (Unchanged(rows, due) is not { } reference)
        {
            return;
        }

        var affirmed = reference.Renewals + 1;
        var until = now + Leases.Length(affirmed, due.Digest.Encoded[^1], lifetimes);
        rows.Delete(BlobRows.DueReference(reference.LeaseUntil, due.Digest, due.Repository));
        rows.Put(BlobRows.Reference(due.Digest, due.Repository), new ReferenceRow(reference.Sequence, until, affirmed).Encode());
        rows.Put(BlobRows.DueReference(until, due.Digest, due.Repository), BlobRows.Mark);
    }

    /// <summary>A blob that nobody has referred to for the grace is unknown from here on; its object is deleted after a hold.</summary>
    private static void Doom(RowBatch rows, Orphan orphan, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        // Whoever acquired it, or had and released it, since it was found made this another blob.
        if (BlobRow.Find(rows, orphan.Digest) is not { References: 0, OrphanDue: { } due } blob || due != orphan.Due)
        {
            return;
        }

        rows.Delete(BlobRows.Blob(orphan.Digest));
        rows.Delete(BlobRows.DueOrphan(due, orphan.Digest));
        if (blob.Object is { } id)
        {
            DoomObject(rows, orphan.Digest, id, now, lifetimes);
        }
        else
        {
            rows.Delete(BlobRows.Bytes(orphan.Digest));
        }
    }

    private static void DoomObject(RowBatch rows, Digest digest, ObjectId id, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        var deletion = now + lifetimes.ObjectHold;
        rows.Put(BlobRows.Doom(id), new DoomRow(digest, deletion, IsDeleted: false).Encode());
        rows.Put(BlobRows.DueDoom(deletion, id), BlobRows.Mark);
    }

    private static void Forget(RowBatch rows, ObjectId id, DateTimeOffset now)
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
    private static BlobRow? Create(RowBatch rows, Digest digest, BlobContent? content)
    {
        if (content is InlineContent inline)
        {
            rows.Put(BlobRows.Bytes(digest), BlobBytesRow.Encode(inline));
        }

        return content is null ? null : new BlobRow((content as ObjectContent)?.Object, content.Size, References: 0, OrphanDue: null);
    }

    /// <summary>
    /// The row of a blob whose object is damaged, with the content that just came in its place; null if none came. Its repositories are told by the sweep; until then they
    /// answer as if they had no such blob.
    /// </summary>
    private static BlobRow? Replace(RowBatch rows, Digest digest, BlobContent? content, BlobRow damaged, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        if (content is null || (content is ObjectContent { Object: var id } && id == damaged.Object))
        {
            return null;
        }

        if (damaged.Object is { } old)
        {
            DoomObject(rows, digest, old, now, lifetimes);
        }
        else if (content is ObjectContent)
        {
            rows.Delete(BlobRows.Bytes(digest));
        }

        rows.Put(BlobRows.DueCorrection(now, digest), BlobRows.Mark);
        return Create(rows, digest, content)! with { References = damaged.References, OrphanDue = damaged.OrphanDue };
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
