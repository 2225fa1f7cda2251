using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Leases;
using Granary.Grains.Partitions;

namespace Granary.Grains.Blobs;

/// <summary>Decides how references end or go on, over a shard's rows.</summary>
internal static class ReferenceRules
{
    /// <summary>Removes references that are not newer than their release (<c>seq</c>).</summary>
    public static bool Release(RowBatch rows, ReleasedReference[] references, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        foreach (var (digest, repository, sequence) in references)
        {
            var lease = new ReferenceLease(digest, repository);
            if (LeaseRow.Find(rows, lease) is { } row && row.Sequence <= sequence)
            {
                Drop(rows, lease, row, now, lifetimes);
            }
        }

        return true;
    }

    /// <summary>Extends the lease of a reference that its repository still needs.</summary>
    public static void Confirm(RowBatch rows, DueReference due, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        if (FindUnchanged(rows, due) is { } row)
        {
            LeaseRules.Extend(rows, new ReferenceLease(due.Digest, due.Repository), row, now, lifetimes);
        }
    }

    /// <summary>Removes a reference that its repository has denied.</summary>
    public static void Deny(RowBatch rows, DueReference due, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        if (FindUnchanged(rows, due) is { } row)
        {
            Drop(rows, new ReferenceLease(due.Digest, due.Repository), row, now, lifetimes);
        }
    }

    private static LeaseRow? FindUnchanged(RowView rows, DueReference due) =>
        LeaseRules.FindUnchanged(rows, new ReferenceLease(due.Digest, due.Repository), due.Sequence, due.LeaseUntil);

    /// <summary>Removes a reference. The last one of a blob begins the blob's grace period.</summary>
    private static void Drop(RowBatch rows, ReferenceLease lease, LeaseRow row, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        LeaseRules.Drop(rows, lease, row);
        if (BlobRow.Find(rows, lease.Digest) is { } blob)
        {
            BlobRow.Store(rows, lease.Digest, blob, blob.References > 1
                ? blob with { References = blob.References - 1 }
                : blob with { References = 0, OrphanDue = now + lifetimes.BlobGrace });
        }
    }
}
