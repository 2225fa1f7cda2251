using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories.History;
using Granary.Protocol;

namespace Granary.Grains.Repositories.Maintenance;

/// <summary>
/// The rules about what a collection removes from a repository. The caller has found candidates by reads; each rule checks them again in
/// the batch, since clients may have used them meanwhile.
/// </summary>
internal static class CollectionRules
{
    /// <summary>Unlinks the candidates that were unused for the grace period.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="candidates">Blobs with a <c>due/</c> row.</param>
    /// <param name="now">The time of the collection.</param>
    /// <param name="grace">The grace period of the collection; null for that of the settings.</param>
    public static List<UnlinkedBlob> UnlinkUnused(RowBatch batch, IEnumerable<Digest> candidates, DateTimeOffset now, TimeSpan? grace)
    {
        var unlinked = new List<UnlinkedBlob>();
        foreach (var digest in candidates)
        {
            if (LinkRow.Find(batch, digest) is { } link && LinkRules.IsUnused(link, now, grace))
            {
                LinkRules.Unlink(batch, digest, link);
                unlinked.Add(new UnlinkedBlob(digest, link.Size));
            }
        }

        return unlinked;
    }

    /// <summary>
    /// Removes the referrers of a deleted subject, and its <c>due/</c> row after the last of them. If a client has pushed the subject
    /// again, its referrers stay.
    /// </summary>
    /// <returns>How many manifests were removed.</returns>
    public static int RemoveReferrers(RowBatch batch, DeletedSubject subject, Change change, LifetimeOptions lifetimes)
    {
        var isBack = batch.Has(RepositoryRows.Manifest(subject.Digest));
        var removed = isBack ? 0 : RemoveUnnamed(batch, subject.Referrers, change, lifetimes);
        if ((isBack || !subject.More) && batch.Has(subject.Key))
        {
            batch.Delete(subject.Key);
        }

        return removed;
    }

    /// <summary>Removes the candidates that no tag and no manifest names. Returns how many were removed.</summary>
    public static int RemoveUnnamed(RowBatch batch, IEnumerable<Digest> candidates, Change change, LifetimeOptions lifetimes) =>
        candidates.Count(digest => !ManifestRules.IsNamed(batch, digest) && ManifestRules.Delete(batch, digest, change, lifetimes));

    /// <summary>
    /// Removes the candidates that no tag and no manifest names, and that lost their last tag before a time. Returns how many were removed.
    /// </summary>
    public static int RemoveUntagged(
        RowBatch batch,
        IEnumerable<Digest> candidates,
        DateTimeOffset before,
        Change change,
        LifetimeOptions lifetimes)
    {
        var old = candidates.Where(digest =>
            ManifestRow.Find(batch, digest) is { } row && ManifestRules.UntaggedSince(batch, digest, row) < before);
        return RemoveUnnamed(batch, old, change, lifetimes);
    }
}
