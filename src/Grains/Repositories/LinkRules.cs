using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories.History;
using Granary.Protocol;

namespace Granary.Grains.Repositories;

/// <summary>The rules about a repository's links. A link has a <c>due/</c> row exactly while no manifest uses its blob.</summary>
internal static class LinkRules
{
    /// <summary>Returns the content of a blob; null if the repository has no such blob, or it is in quarantine.</summary>
    public static BlobContent? Content(RowView rows, Digest digest) => LinkRow.Find(rows, digest) switch
    {
        null or { IsDamaged: true } => null,
        { Object: { } id } link => new ObjectContent(id, link.Size),
        _ => rows.Get(RepositoryRows.Bytes(digest)) is { } bytes ? BytesRow.Decode(bytes) : null,
    };

    /// <summary>Returns whether the repository has to renew a link before it tells a client that the blob exists.</summary>
    public static bool NeedsRenewal(LinkRow link, DateTimeOffset now, LifetimeOptions lifetimes) =>
        now > RenewalDue(link, lifetimes);

    /// <summary>Returns the time from which on a link needs renewal; null while a manifest uses the blob.</summary>
    public static DateTimeOffset? RenewalDue(LinkRow link, LifetimeOptions lifetimes) =>
        link.Uses == 0 ? link.Renewed + lifetimes.RenewalInterval : null;

    /// <summary>Returns whether the repository has the blob, and it is not in quarantine.</summary>
    public static bool IsAvailable(RowView rows, Digest digest) => LinkRow.Find(rows, digest) is { IsDamaged: false };

    /// <summary>Renews a link, if it needs renewal. Returns false if the blob is not available.</summary>
    public static bool Renew(RowBatch rows, Digest digest, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        if (LinkRow.Find(rows, digest) is not { IsDamaged: false } link)
        {
            return false;
        }

        if (NeedsRenewal(link, now, lifetimes))
        {
            Store(rows, digest, link, link with { Renewed = now, Due = now + lifetimes.LinkGrace });
        }

        return true;
    }

    /// <summary>Links a blob whose reference was acquired, or renews its link.</summary>
    public static void Link(RowBatch rows, Digest digest, BlobContent content, Change change, LifetimeOptions lifetimes)
    {
        var now = change.Time;
        if (RenewInOrder(rows, digest, change, lifetimes))
        {
            return;
        }

        if (Correct(rows, digest, content, isDamaged: false))
        {
            SetOrder(rows, digest, change);
            return;
        }

        // Sparse manifests and manifests with foreign layers may name a blob before it is linked.
        var uses = UnlinkedUsesRow.Count(rows, digest);
        UnlinkedUsesRow.Set(rows, digest, 0);
        var link = new LinkRow((content as ObjectContent)?.Object, content.Size, uses, now, uses == 0 ? now + lifetimes.LinkGrace : null)
        {
            Order = change.Order,
        };
        Store(rows, digest, before: null, link);
        if (content is InlineContent inline)
        {
            rows.Put(RepositoryRows.Bytes(digest), BytesRow.Encode(inline));
        }
    }

    /// <summary>
    /// Renews a link for a command, and records its order where other processes may write. Returns false if the blob is not available.
    /// </summary>
    public static bool RenewInOrder(RowBatch rows, Digest digest, Change change, LifetimeOptions lifetimes)
    {
        if (!Renew(rows, digest, change.Time, lifetimes))
        {
            return false;
        }

        if (change.IsShared)
        {
            SetOrder(rows, digest, change);
        }

        return true;
    }

    /// <summary>
    /// Sets the content of a linked blob, and whether it is in quarantine. Returns false if the repository has no such blob.
    /// </summary>
    public static bool Correct(RowBatch rows, Digest digest, BlobContent content, bool isDamaged)
    {
        if (LinkRow.Find(rows, digest) is not { } link)
        {
            return false;
        }

        var corrected = link with { Object = (content as ObjectContent)?.Object, Size = content.Size, IsDamaged = isDamaged };
        if (corrected == link)
        {
            return true;
        }

        Store(rows, digest, link, corrected);
        if (content is InlineContent inline)
        {
            rows.Put(RepositoryRows.Bytes(digest), BytesRow.Encode(inline));
        }
        else if (link.Object is null)
        {
            rows.Delete(RepositoryRows.Bytes(digest));
        }

        return true;
    }

    /// <summary>Counts one more manifest that names the content.</summary>
    public static void AddUse(RowBatch rows, Digest digest)
    {
        if (LinkRow.Find(rows, digest) is { } link)
        {
            Store(rows, digest, link, link with { Uses = link.Uses + 1, Due = null });
        }
        else
        {
            UnlinkedUsesRow.Set(rows, digest, UnlinkedUsesRow.Count(rows, digest) + 1);
        }
    }

    /// <summary>Returns how many manifests name the content.</summary>
    public static int CountUses(RowView rows, Digest digest) => LinkRow.Find(rows, digest)?.Uses ?? UnlinkedUsesRow.Count(rows, digest);

    /// <summary>Counts one manifest less. The grace period of an unused blob begins now.</summary>
    public static void RemoveUse(RowBatch rows, Digest digest, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        if (LinkRow.Find(rows, digest) is not { } link)
        {
            UnlinkedUsesRow.Set(rows, digest, UnlinkedUsesRow.Count(rows, digest) - 1);
            return;
        }

        Store(rows, digest, link, link.Uses > 1
            ? link with { Uses = link.Uses - 1 }
            : link with { Uses = 0, Renewed = now, Due = now + lifetimes.LinkGrace });
    }

    /// <summary>Removes a link if the repository has it, and no manifest uses the blob.</summary>
    /// <param name="rows">The batch.</param>
    /// <param name="digest">The blob.</param>
    /// <param name="evenIfUsed">Whether to remove the link even if manifests use the blob.</param>
    public static UnlinkOutcome TryUnlink(RowBatch rows, Digest digest, bool evenIfUsed)
    {
        if (LinkRow.Find(rows, digest) is not { } link)
        {
            return UnlinkOutcome.NotFound;
        }

        if (link.Uses > 0 && !evenIfUsed)
        {
            return UnlinkOutcome.InUse;
        }

        Unlink(rows, digest, link);
        return UnlinkOutcome.Unlinked;
    }

    /// <summary>
    /// Returns whether a blob was unused for the grace period. Without a grace period of the caller, the time in the <c>due/</c> row
    /// counts.
    /// </summary>
    public static bool IsUnused(LinkRow link, DateTimeOffset now, TimeSpan? grace) =>
        link is { Uses: 0, Due: { } due } && (grace is { } asked ? link.Renewed + asked <= now : due <= now);

    /// <summary>Removes a link, and puts an <c>out/</c> row so that its reference is released.</summary>
    public static void Unlink(RowBatch rows, Digest digest, LinkRow link)
    {
        Floor.Raise(rows, link.Order);
        rows.Delete(RepositoryRows.Link(digest));
        if (link.Object is null)
        {
            rows.Delete(RepositoryRows.Bytes(digest));
        }

        if (link.Due is { } due)
        {
            rows.Delete(RepositoryRows.Due(due, digest));
        }

        if (link.Uses > 0)
        {
            UnlinkedUsesRow.Set(rows, digest, link.Uses);
        }

        rows.Put(RepositoryRows.Out(rows.Version, digest.Value), RepositoryRows.Mark);
    }

    private static void SetOrder(RowBatch rows, Digest digest, Change change)
    {
        var link = LinkRow.Find(rows, digest)!;
        Store(rows, digest, link, link with { Order = change.Order });
    }

    private static void Store(RowBatch rows, Digest digest, LinkRow? before, LinkRow after)
    {
        rows.Put(RepositoryRows.Link(digest), after.Encode());
        if (before?.Due == after.Due)
        {
            return;
        }

        if (before?.Due is { } old)
        {
            rows.Delete(RepositoryRows.Due(old, digest));
        }

        if (after.Due is { } due)
        {
            rows.Put(RepositoryRows.Due(due, digest), RepositoryRows.Mark);
        }
    }
}
