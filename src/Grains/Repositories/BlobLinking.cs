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
    /// <param name="command">The command.</param>
    /// <param name="digest">The blob.</param>
    /// <param name="content">The content that the caller brings; null for a mount.</param>
    /// <param name="deadline">The deadline of an object.</param>
    /// <param name="cancellationToken">Ends the caller's wait.</param>
    public async Task<LinkAnswer> LinkAsync(
        RepositoryCommand command,
        Digest digest,
        BlobContent? content,
        DateTimeOffset deadline,
        CancellationToken cancellationToken)
    {
        if (await FindLinkedAsync(command, digest, cancellationToken) is { } link)
        {
            return AnswerLinked(content, link.Object);
        }

        using var pending = guard.BeginAcquire();
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            // :: Step 1: acquire the reference. Its sequence is below the version of any later unlink, so a Release of that one removes it
            // (seq).
            var sequence = partition.NextVersion;
            var acquire = new AcquireBlob(digest, content, name, sequence, deadline);
            var answer = await grains.GetGrain<IBlobShardGrain>(digest.FirstByte).Acquire(acquire, cancellationToken);
            if (answer is not Acquired acquired)
            {
                return await RefuseAsync(command, answer is AcquireExpired ? LinkAnswer.Expired : LinkAnswer.Unknown, cancellationToken);
            }

            // :: Steps 2 and 3.
            if (await CommitAsync(command, digest, acquired, sequence, cancellationToken))
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

    /// <summary>Returns the link that the repository has, after it was renewed; null if the blob has to be acquired.</summary>
    private async ValueTask<LinkRow?> FindLinkedAsync(RepositoryCommand command, Digest digest, CancellationToken cancellationToken)
    {
        var link = await FindAsync(digest, cancellationToken);
        if (link is not { IsDamaged: false } || !partition.OthersMayWrite)
        {
            return await RenewAsync(digest, link, cancellationToken) ? link : null;
        }

        // "It is there already" is a commit too, so that a late copy does not link the blob again after its removal.
        var change = await log.BeginAsync(command, cancellationToken);
        var ruling = await partition.DecideAsync(
            [RepositoryRows.Meta, RepositoryRows.Link(digest)],
            batch => RenewInOrder(batch, digest, change),
            cancellationToken);
        return await ruling.ProveAsync(partition, cancellationToken);
    }

    private Ruling<LinkRow?> RenewInOrder(RowBatch batch, Digest digest, Change change)
    {
        if (LinkRow.Find(batch, digest) is not { IsDamaged: false } link)
        {
            return new Ruling<LinkRow?>(null);
        }

        if (OrderRules.Refuse<LinkRow?>(batch, change, link.Order) is { } late)
        {
            return late;
        }

        LinkRules.RenewInOrder(batch, digest, change, lifetimes);
        return new Ruling<LinkRow?>(link);
    }

    /// <summary>Answers that the repository cannot have the blob.</summary>
    private async Task<LinkAnswer> RefuseAsync(RepositoryCommand command, LinkAnswer answer, CancellationToken cancellationToken)
    {
        if (!partition.OthersMayWrite)
        {
            return answer;
        }

        var change = await log.BeginAsync(command, cancellationToken);
        var ruling = await partition.DecideAsync(
            [RepositoryRows.Meta],
            batch => OrderRules.Refuse<LinkAnswer>(batch, change, touched: 0) ?? OrderRules.Unchanged(batch, change, answer),
            cancellationToken);
        return await ruling.ProveAsync(partition, cancellationToken);
    }

    private async Task<bool> CommitAsync(
        RepositoryCommand command,
        Digest digest,
        Acquired acquired,
        long sequence,
        CancellationToken cancellationToken)
    {
        // :: Step 2: register in the catalog, before clients can see content of the repository, and in a schedule, before the link is due.
        var preparing = schedule.PrepareAsync(cancellationToken);
        var catalogEntry = await catalog.PrepareAsync(cancellationToken);
        var scheduled = await preparing;

        // :: Step 3: commit the link, unless the shard may have dropped the reference (guard).
        var change = await log.BeginAsync(command, cancellationToken);
        var ruling = await partition.DecideAsync(
            [RepositoryRows.Link(digest), RepositoryRows.Meta, RepositoryRows.Sweep, RepositoryRows.Named(digest), LogRows.History],
            batch =>
            {
                if (OrderRules.Refuse<bool>(batch, change, LinkRow.Find(batch, digest)?.Order ?? 0) is { } late)
                {
                    return late;
                }

                if (!guard.Allows(digest.Value, sequence)
                    || !schedule.Register(batch, scheduled)
                    || !catalog.Register(batch, catalogEntry, change))
                {
                    return new Ruling<bool>(false);
                }

                LinkRules.Link(batch, digest, acquired.Content, change, lifetimes);

                // If the link exists already, no row changes, but the client relies on it: the fence shows whether the activation is stale.
                batch.Fence();
                return new Ruling<bool>(true);
            },
            dependsOn: [acquired.DependsOn, catalogEntry?.DependsOn, scheduled?.DependsOn],
            cancellationToken);
        return await ruling.ProveAsync(partition, cancellationToken);
    }
}
