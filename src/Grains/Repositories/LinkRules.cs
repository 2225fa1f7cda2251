using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Repositories;

/// <summary>The rules about a repository's blobs. A link has a <c>due/</c> row exactly while no manifest uses it.</summary>
internal static class LinkRules
{
    /// <summary>Where the blob's bytes are; null if there is no such blob here.</summary>
    public static BlobContent? Content(RowView rows, Digest digest) => LinkRow.Find(rows, digest) switch
    {
        null or { IsDamaged: true } => null,
        { Object: { } id } link => new ObjectContent(id, link.Size),
        _ => rows.Get(RepositoryRows.Bytes(digest)) is { } bytes ? BytesRow.Decode(bytes) : null,
    };

    /// <summary>Whether a link has to be renewed before a client is told that it exists (rule 5).</summary>
    public static bool NeedsRenewal(LinkRow link, DateTimeOffset now, LifetimeOptions lifetimes) =>
        now > RenewalDue(link, lifetimes);

    /// <summary>Until when a client may be told that a link exists without renewing it; null for as long as a manifest uses it.</summary>
    public static DateTimeOffset? RenewalDue(LinkRow link, LifetimeOptions lifetimes) => link.Uses == 0 ? link.Renewed + lifetimes.RenewalInterval : null;

    /// <summary>Whether the repository has the blob, and nobody knows it to be damaged.</summary>
    public static bool IsHere(RowView rows, Digest digest) => LinkRow.Find(rows, digest) is { IsDamaged: false };

    /// <summary>Renews a link; false if there is none that is whole.</summary>
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

    /// <summary>Makes an acquired blob a blob of the repository.</summary>
    public static void Link(RowBatch rows, Digest digest, BlobContent content, DateTimeOffset now, LifetimeOptions lifetimes)
    {
        if (Renew(rows, digest, now, lifetimes) || Correct(rows, digest, content, isDamaged: false))
        {
            return;
        }

        // Sparse manifests and foreign layers may have named it before it came.
        var uses = UnlinkedUsesRow.Count(rows, digest);
        UnlinkedUsesRow.Set(rows, digest, 0);
        var link = new LinkRow((content as ObjectContent)?.Object, content.Size, uses, now, uses == 0 ? now + lifetimes.LinkGrace : null);
        Store(rows, digest, before: null, link);
        if (content is InlineContent inline)
        {
            rows.Put(RepositoryRows.Bytes(digest), BytesRow.Encode(inline));
        }
    }

    /// <summary>Sets which content of a blob counts, or that it is damaged; false if the repository has no such blob.</summary>
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

    /// <summary>A manifest names the content from now on.</summary>
    public static void Use(RowBatch rows, Digest digest)
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

    /// <summary>How many manifests name the content.</summary>
    public static int Uses(RowView rows, Digest digest) => LinkRow.Find(rows, digest)?.Uses ?? UnlinkedUsesRow.Count(rows, digest);

    /// <summary>A manifest no longer names the content.</summary>
    public static void EndUse(RowBatch rows, Digest digest, DateTimeOffset now, LifetimeOptions lifetimes)
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

    /// <summary>Removes a link, and leaves word that its reference is to be released (rule 6).</summary>
    public static DeleteBlobAnswer Delete(RowBatch rows, Digest digest, bool evenIfUsed)
    {
        if (LinkRow.Find(rows, digest) is not { } link)
        {
            return new BlobNotThere();
        }

        if (link.Uses > 0 && !evenIfUsed)
        {
            // By whom, only a walk over the manifests tells: who answers the client finds out.
            return new BlobInUse([]);
        }

        Unlink(rows, digest, link);
        return new BlobDeleted();
    }

    /// <summary>Whether a link has not been used for the grace: one that was asked for, or that of the setting, which its <c>due/</c> row knows.</summary>
    public static bool IsUnused(LinkRow link, DateTimeOffset now, TimeSpan? grace) =>
        link is { Uses: 0, Due: { } due } && (grace is { } asked ? link.Renewed + asked <= now : due <= now);

    /// <summary>Removes a link, with word that its reference is to be released.</summary>
    public static void Unlink(RowBatch rows, Digest digest, LinkRow link)
    {
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
