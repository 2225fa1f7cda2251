using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Leases;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Blobs;

/// <summary>Decides about references that repositories acquire, over a shard's rows (docs/garbage-collection.md).</summary>
internal static class AcquireRules
{
    /// <summary>Records the reference, and the blob if it is new or damaged.</summary>
    public static AcquireAnswer Acquire(RowBatch rows, AcquireBlob command, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        if (command.Content is ObjectContent { Object: var id } && IsRefused(rows, id, command.Deadline, now))
        {
            return new AcquireExpired();
        }

        var before = BlobRow.Find(rows, command.Digest);
        var blob = before switch
        {
            null => Create(rows, command.Digest, command.Content),
            { IsDamaged: true } => DamageRules.Replace(rows, command.Digest, command.Content, before, now, lifetimes),
            _ => before,
        };
        if (blob is null)
        {
            return new AcquireUnknown();
        }

        var isNew = GrantReference(rows, command, now + lifetimes.FirstLease);
        var references = isNew ? blob.References + 1 : blob.References;
        BlobRow.Store(rows, command.Digest, before, blob with { References = references, OrphanDue = null });

        // fence: an acquire that changes no row still commits. Otherwise a stale activation could name an object that is gone.
        rows.Fence();
        return new Acquired(ContentOf(rows, command, blob));
    }

    /// <summary>Returns the row of a new blob without references; null for a mount, which has no content.</summary>
    public static BlobRow? Create(RowBatch rows, Digest digest, BlobContent? content)
    {
        if (content is InlineContent inline)
        {
            rows.Put(BlobRows.Bytes(digest), BlobBytesRow.Encode(inline));
        }

        return content is null ? null : new BlobRow((content as ObjectContent)?.Object, content.Size, References: 0, OrphanDue: null);
    }

    // late: a call that comes after the deadline may come after Renounce has decided, and after the tombstone was removed.
    // tomb: an object with a tombstone, or a doomed one, is being deleted.
    private static bool IsRefused(RowView rows, ObjectId id, DateTimeOffset deadline, DateTimeOffset now) =>
        now > deadline || rows.Has(BlobRows.Tombstone(id)) || rows.Has(BlobRows.Doom(id));

    /// <summary>Grants the lease of the reference. Returns whether the repository had none.</summary>
    private static bool GrantReference(RowBatch rows, AcquireBlob command, DateTimeOffset until)
    {
        var lease = new ReferenceLease(command.Digest, command.Repository);
        var before = LeaseRow.Find(rows, lease);
        LeaseRules.Grant(rows, lease, before, command.Sequence, until);
        return before is null;
    }

    /// <summary>
    /// Returns the content that counts. If that is not the caller's own object, Renounce decides about the latter (<c>own</c>).
    /// </summary>
    private static BlobContent ContentOf(RowBatch rows, AcquireBlob command, BlobRow blob) => blob.Object is { } id
        ? new ObjectContent(id, blob.Size)
        : command.Content as InlineContent
            ?? BlobBytesRow.Find(rows, command.Digest)
            ?? throw new FormatException($"The row with the content of the small blob {command.Digest} is missing; run 'granary scrub'.");
}
