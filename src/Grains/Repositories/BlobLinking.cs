using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories.History;
using Granary.Protocol;

namespace Granary.Grains.Repositories;

/// <summary>Links blobs to a repository, and renews their links.</summary>
internal sealed class BlobLinking(
    Partition partition,
    RepositoryName name,
    LinkGuard guard,
    CatalogRegistration catalog,
    SweepSchedule schedule,
    RepositoryLog log,
    IGrainFactory grains,
    LifetimeOptions lifetimes,
    TimeProvider time)
{
    /// <summary>How often a command acquires a reference again after a denial. So many denials during one command are a defect.</summary>
    public const int MaxAttempts = 16;

    /// <summary>Returns the row of a link; null if there is none.</summary>
    public ValueTask<LinkRow?> FindAsync(Digest digest, CancellationToken cancellationToken) =>
        partition.ReadAsync([RepositoryRows.Link(digest)], rows => LinkRow.Find(rows, digest), cancellationToken);

    /// <summary>
    /// Renews a link if it needs that, so that a client which hears of the blob can rely on it for the grace period. Returns whether the
    /// repository has the blob.
    /// </summary>
    public async ValueTask<bool> RenewAsync(Digest digest, LinkRow? link, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        if (link is not { IsDamaged: false })
        {
            return false;
        }

        return !LinkRules.NeedsRenewal(link, now, lifetimes)
            || await partition.DecideAsync([], batch => LinkRules.Renew(batch, digest, now, lifetimes), cancellationToken);
    }

    /// <summary>
    /// Acquires a reference in the blob's shard, and commits the link unless a decision has unlinked or denied it meanwhile.
    /// </summary>
    /// <param name="digest">The blob.</param>
    /// <param name="content">The content that the caller brings; null for a mount.</param>
    /// <param name="deadline">The deadline of an object.</param>
    /// <param name="origin">Who sent the command, for the line about a new repository.</param>
    /// <param name="cancellationToken">Ends the caller's wait.</param>
    public async Task<LinkAnswer> LinkAsync(
        Digest digest,
        BlobContent? content,
        DateTimeOffset deadline,
        CommandOrigin origin,
        CancellationToken cancellationToken)
    {
        var link = await FindAsync(digest, cancellationToken);
        if (await RenewAsync(digest, link, cancellationToken))
        {
            return AnswerLinked(content, link!.Object);
        }

        using var acquire = guard.BeginAcquire();
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            // :: Step 1: acquire the reference. Its sequence is below the version of any later unlink, so a Release of that one removes it
            // (seq).
            var sequence = partition.NextVersion;
            var command = new AcquireBlob(digest, content, name, sequence, deadline);
            var answer = await grains.GetGrain<IBlobShardGrain>(digest.FirstByte).Acquire(command, cancellationToken);
            if (answer is not Acquired acquired)
            {
                return answer is AcquireExpired ? LinkAnswer.Expired : LinkAnswer.Unknown;
            }

            // :: Steps 2 and 3.
            if (await CommitAsync(digest, acquired, sequence, origin, cancellationToken))
            {
                return AnswerLinked(content, (acquired.Content as ObjectContent)?.Object);
            }
        }

        throw Overtaken(name);
    }

    /// <summary>Returns the fault of a command that was denied in every attempt.</summary>
    public static PartitionUnavailableException Overtaken(RepositoryName name) => new(
        PartitionFault.Unavailable,
        $"Other commands changed repository '{name}' {MaxAttempts} times during one command; try again.");

    /// <summary>
    /// Returns whether the caller's object holds the blob. The answer only says that asking Renounce soon is worthwhile (<c>hint</c>): the
    /// object of the blob may change again, and only a commit of the shard decides.
    /// </summary>
    private static LinkAnswer AnswerLinked(BlobContent? brought, ObjectId? linked) =>
        brought is ObjectContent { Object: var id } && id != linked ? LinkAnswer.LinkedToOther : LinkAnswer.Linked;

    private async Task<bool> CommitAsync(
        Digest digest,
        Acquired acquired,
        long sequence,
        CommandOrigin origin,
        CancellationToken cancellationToken)
    {
        // :: Step 2: register in the catalog, before clients can see content of the repository, and in a schedule, before the link is due.
        var preparing = schedule.PrepareAsync(cancellationToken);
        var catalogEntry = await catalog.PrepareAsync(cancellationToken);
        var scheduled = await preparing;

        // :: Step 3: commit the link, unless the shard may have dropped the reference (guard).
        var change = await log.BeginAsync(origin, cancellationToken);
        return await partition.DecideAsync(
            [RepositoryRows.Link(digest), RepositoryRows.Meta, RepositoryRows.Sweep, RepositoryRows.Named(digest), LogRows.History],
            batch =>
            {
                if (!guard.Allows(digest.Value, sequence)
                    || !schedule.Register(batch, scheduled)
                    || !catalog.Register(batch, catalogEntry, change))
                {
                    return false;
                }

                LinkRules.Link(batch, digest, acquired.Content, change.Time, lifetimes);

                // If the link exists already, no row changes, but the client relies on it: the fence shows whether the activation is stale.
                batch.Fence();
                return true;
            },
            dependsOn: [acquired.DependsOn, catalogEntry?.DependsOn, scheduled?.DependsOn],
            cancellationToken);
    }
}
