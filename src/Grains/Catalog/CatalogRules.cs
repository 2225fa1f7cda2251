using Granary.Grains.Interfaces.Catalog;
using Granary.Grains.Leases;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Catalog;

/// <summary>The rules of entries in the catalog, as pure decisions over its rows (docs/garbage-collection.md).</summary>
internal static class CatalogRules
{
    /// <summary>Adds a repository. Returns false, and changes nothing, if its entry is as new already.</summary>
    public static bool Add(RowBatch rows, RepositoryName repository, long sequence, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        var lease = new CatalogLease(repository);
        return LeaseRules.Grant(rows, lease, LeaseRow.Find(rows, lease), sequence, now + lifetimes.FirstLease);
    }

    /// <summary>
    /// Removes a repository. Returns false if its entry is newer than the command (<c>catalog-seq</c>), or if it has none.
    /// </summary>
    public static bool Remove(RowBatch rows, RepositoryName repository, long sequence)
    {
        var lease = new CatalogLease(repository);
        if (LeaseRow.Find(rows, lease) is not { } row || row.Sequence > sequence)
        {
            return false;
        }

        LeaseRules.Drop(rows, lease, row);
        return true;
    }

    /// <summary>Returns the entries of these repositories whose leases have ended.</summary>
    public static CatalogEntry[] FindDue(RowView rows, IEnumerable<RepositoryName> repositories, DateTimeOffset now)
    {
        var due = new List<CatalogEntry>();
        foreach (var repository in repositories)
        {
            if (LeaseRow.Find(rows, new CatalogLease(repository)) is { } row && row.Until <= now)
            {
                due.Add(new CatalogEntry(repository, row.Sequence, row.Until));
            }
        }

        return [.. due];
    }

    /// <summary>
    /// Extends the leases of confirmed entries and removes denied ones. An entry that has changed since it was due stays as it is.
    /// </summary>
    public static bool Settle(
        RowBatch rows,
        IEnumerable<CatalogEntry> confirmed,
        IEnumerable<CatalogEntry> denied,
        DateTimeOffset now,
        LifetimeOptions lifetimes)
    {
        foreach (var entry in confirmed)
        {
            if (FindUnchanged(rows, entry) is { } row)
            {
                LeaseRules.Extend(rows, new CatalogLease(entry.Repository), row, now, lifetimes);
            }
        }

        foreach (var entry in denied)
        {
            if (FindUnchanged(rows, entry) is { } row)
            {
                LeaseRules.Drop(rows, new CatalogLease(entry.Repository), row);
            }
        }

        return true;
    }

    private static LeaseRow? FindUnchanged(RowView rows, CatalogEntry due) =>
        LeaseRules.FindUnchanged(rows, new CatalogLease(due.Repository), due.Sequence, due.LeaseUntil);
}
