using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Leases;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Blobs;

/// <summary>Finds the subjects of a shard's due rows.</summary>
internal static class DueRules
{
    /// <summary>
    /// Returns the subjects of due rows. It leaves out a subject that is not due any more, and one whose row is unreadable: a damaged row
    /// must not keep the sweep from the other entries. The scrub reports it.
    /// </summary>
    public static ShardDue Gather(RowView rows, IReadOnlyList<DueEntry> entries, DateTimeOffset now, bool more) => new(
        Select(entries, "ref", entry => FindReference(rows, entry, now)),
        Select(entries, "orphan", entry => FindOrphan(rows, entry)),
        Select(entries, "doom", entry => FindDoomed(rows, entry)),
        [.. entries.Where(entry => entry.Kind == "tomb").Select(entry => ObjectId.Parse(entry.Subject))],
        Select(entries, "tell", entry => FindCorrection(rows, entry)),
        more);

    private static DueReference? FindReference(RowView rows, DueEntry entry, DateTimeOffset now)
    {
        var slash = entry.Subject.IndexOf('/', StringComparison.Ordinal);
        var (digest, repository) = (Digest.Parse(entry.Subject[..slash]), RepositoryName.Parse(entry.Subject[(slash + 1)..]));
        var lease = new ReferenceLease(digest, repository);
        return LeaseRow.Find(rows, lease) is { } row && row.Until <= now && BlobRow.Find(rows, digest) is not null
            ? new DueReference(digest, repository, row.Sequence, row.Until)
            : null;
    }

    private static Orphan? FindOrphan(RowView rows, DueEntry entry)
    {
        var digest = Digest.Parse(entry.Subject);
        return BlobRow.Find(rows, digest) is { } blob && blob.OrphanDue == entry.Time ? new Orphan(digest, blob.Size, entry.Time) : null;
    }

    private static DoomedObject? FindDoomed(RowView rows, DueEntry entry)
    {
        var id = ObjectId.Parse(entry.Subject);
        return DoomRow.Find(rows, id) is { IsDeleted: false } doom ? new DoomedObject(id, doom.Digest) : null;
    }

    private static Correction FindCorrection(RowView rows, DueEntry entry)
    {
        var digest = Digest.Parse(entry.Subject);
        var isDamaged = BlobRow.Find(rows, digest) is { IsDamaged: true };
        return new Correction(digest, entry.Time, BlobRow.FindContent(rows, digest), isDamaged);
    }

    private static T[] Select<T>(IReadOnlyList<DueEntry> entries, string kind, Func<DueEntry, T?> find)
        where T : class
    {
        var found = new List<T>();
        foreach (var entry in entries.Where(entry => entry.Kind == kind))
        {
            if (FindReadable(entry, find) is { } subject)
            {
                found.Add(subject);
            }
        }

        return [.. found];
    }

    private static T? FindReadable<T>(DueEntry entry, Func<DueEntry, T?> find)
        where T : class
    {
        try
        {
            return find(entry);
        }
        catch (FormatException)
        {
            return null;
        }
    }
}
