using Granary.Grains.Blobs;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories;
using Granary.Protocol;
using Granary.Storage.Partitions;

namespace Granary.Grains.GarbageCollection;

/// <summary>Counts the blobs and objects that a collection would remove from a shard, after all repositories were counted.</summary>
internal sealed class ShardForecast(
    IPartitionStore store,
    LifetimeOptions lifetimes,
    DateTimeOffset now,
    TimeSpan? grace,
    ReleaseForecast released,
    CollectionCounts counts)
{
    // A grace period of its own removes orphans earlier than their rows say.
    private readonly DateTimeOffset _orphansUntil = grace is { } asked ? now + lifetimes.BlobGrace - asked : now;

    /// <summary>Counts what is due, and then the blobs whose last references would be released.</summary>
    public async Task CountAsync(int number, CancellationToken cancellationToken)
    {
        var rows = await ForecastRows.OpenAsync(store, BlobRows.Partition((byte)number), cancellationToken);
        await foreach (var row in rows.ScanAsync(BlobRows.DuePrefix, after: null, cancellationToken))
        {
            var due = BlobRows.ParseDue(row.Key);
            if (due.Time > now && due.Time > _orphansUntil)
            {
                break;
            }

            await CountDueAsync(rows, due, cancellationToken);
        }

        foreach (var (digest, count) in released.OfShard(number))
        {
            if (await FindBlobAsync(rows, digest, cancellationToken) is { References: > 0 } blob && blob.References <= count)
            {
                Count(blob);
            }
        }
    }

    private Task CountDueAsync(Partition rows, DueEntry due, CancellationToken cancellationToken) => due.Kind switch
    {
        "ref" when due.Time <= now && released.IsNeeded => CountLeaseAsync(due.Subject, cancellationToken),
        "orphan" when due.Time <= _orphansUntil => CountOrphanAsync(rows, Digest.Parse(due.Subject), due.Time, cancellationToken),
        "doom" when due.Time <= now => CountDoomedAsync(rows, ObjectId.Parse(due.Subject), cancellationToken),
        _ => Task.CompletedTask,
    };

    // A lease that has ended: the sweep asks the repository, and drops the reference if there is no link.
    private async Task CountLeaseAsync(string subject, CancellationToken cancellationToken)
    {
        var slash = subject.IndexOf('/', StringComparison.Ordinal);
        var (digest, repository) = (Digest.Parse(subject[..slash]), RepositoryName.Parse(subject[(slash + 1)..]));
        var link = await store.GetAsync(RepositoryRows.Partition(repository), [RepositoryRows.Link(digest)], cancellationToken);
        if (link[0] is null)
        {
            released.Add(digest);
        }
    }

    private async Task CountOrphanAsync(Partition rows, Digest digest, DateTimeOffset due, CancellationToken cancellationToken)
    {
        if (await FindBlobAsync(rows, digest, cancellationToken) is { } orphan && orphan.OrphanDue == due)
        {
            Count(orphan);
        }
    }

    private async Task CountDoomedAsync(Partition rows, ObjectId id, CancellationToken cancellationToken)
    {
        if (await rows.ReadAsync([BlobRows.Doom(id)], view => DoomRow.Find(view, id), cancellationToken) is { IsDeleted: false })
        {
            counts.ObjectsDeleted++;
        }
    }

    private void Count(BlobRow blob)
    {
        counts.BlobsCollected++;
        counts.BytesCollected += blob.Size;
        if (blob.Object is not null && lifetimes.DeletionDelay <= TimeSpan.Zero)
        {
            counts.ObjectsDeleted++;
        }
    }

    private static async ValueTask<BlobRow?> FindBlobAsync(Partition rows, Digest digest, CancellationToken cancellationToken)
    {
        try
        {
            return await rows.ReadAsync([BlobRows.Blob(digest)], view => BlobRow.Find(view, digest), cancellationToken);
        }
        catch (FormatException)
        {
            // A collection leaves blobs alone whose rows are damaged.
            return null;
        }
    }
}
