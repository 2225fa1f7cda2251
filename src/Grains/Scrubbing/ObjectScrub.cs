using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Operations;
using Granary.Protocol;
using Granary.Storage.Blobs;

namespace Granary.Grains.Scrubbing;

/// <summary>Checks the objects of the store: one that a damaged blob can use becomes its content, and an orphan is deleted.</summary>
/// <param name="grains">Finds the shards.</param>
/// <param name="store">The objects.</param>
/// <param name="run">Counts and reports.</param>
/// <param name="objects">Checks bytes.</param>
/// <param name="orphanedSince">Only objects that were written before this time are orphans: an upload may still need younger ones.</param>
/// <param name="time">The clock.</param>
internal sealed class ObjectScrub(
    IGrainFactory grains,
    IBlobStore store,
    OperationRun run,
    ObjectCheck objects,
    DateTimeOffset orphanedSince,
    TimeProvider time)
{
    /// <summary>Checks all objects. Returns the shards whose blobs were repaired.</summary>
    public async Task<IReadOnlySet<int>> CheckAsync(CancellationToken cancellationToken)
    {
        var repaired = new HashSet<int>();
        await foreach (var stored in store.ListAsync(cancellationToken))
        {
            run.Add("objects", 1);
            if (stored.Digest is { } digest && await TryRepairAsync(digest, stored, cancellationToken))
            {
                repaired.Add(digest.FirstByte);
            }
            else if (stored.LastWrite < orphanedSince && await IsOrphanAsync(stored, cancellationToken))
            {
                await DeleteAsync(stored, cancellationToken);
            }

            await run.ReportAsync();
        }

        return repaired;
    }

    /// <summary>Gives a damaged blob an object that has its digest in the name, if no blob uses it and its bytes are right.</summary>
    private async Task<bool> TryRepairAsync(Digest digest, StoredObject stored, CancellationToken cancellationToken)
    {
        var shard = grains.GetGrain<IBlobShardGrain>(digest.FirstByte);
        if (await shard.Find(digest, cancellationToken) is not { IsDamaged: true } damaged
            || damaged.Content == stored.Id
            || await objects.FindFaultAsync(stored.Id, digest, stored.Length, cancellationToken) is not null
            || !await shard.Adopt(digest, new ObjectContent(stored.Id, stored.Length), cancellationToken))
        {
            return false;
        }

        run.Add("mended", 1);
        run.AddFinding($"Blob {digest} was damaged or missing. The scrub has found its bytes in object {stored.Id}, and uses them.");
        return true;
    }

    /// <summary>
    /// Returns whether no session and no blob uses an object. For a sealed one, Renounce writes a tombstone (rule <c>tomb</c>).
    /// </summary>
    private async Task<bool> IsOrphanAsync(StoredObject stored, CancellationToken cancellationToken)
    {
        if (stored.Digest is not { } digest)
        {
            return true;
        }

        var shard = grains.GetGrain<IBlobShardGrain>(digest.FirstByte);
        return !await shard.Owns(digest, stored.Id, cancellationToken)
            && await shard.Renounce(digest, stored.Id, time.GetUtcNow(), cancellationToken) == RenounceAnswer.Renounced;
    }

    private async Task DeleteAsync(StoredObject stored, CancellationToken cancellationToken)
    {
        await store.DeleteAsync(stored.Id, stored.Digest, cancellationToken);
        run.Add("reclaimed", 1);
        run.Add("reclaimedBytes", stored.Length);
    }
}
