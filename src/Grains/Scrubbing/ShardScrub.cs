using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Operations;
using Granary.Protocol;

namespace Granary.Grains.Scrubbing;

/// <summary>Checks the rows of a shard, and the bytes of its blobs.</summary>
internal sealed class ShardScrub(IGrainFactory grains, GarbageCollector collector, OperationRun run, ObjectCheck objects)
{
    /// <summary>Repairs rows of blobs that are damaged.</summary>
    public async Task RepairRowsAsync(int number, CancellationToken cancellationToken)
    {
        var shard = grains.GetGrain<IBlobShardGrain>(number);
        await foreach (var page in shard.ListPagesAsync(cancellationToken))
        {
            foreach (var digest in page.Unreadable)
            {
                await RepairRowAsync(shard, digest, cancellationToken);
            }
        }

        await CorrectRepositoriesAsync([number], cancellationToken);
        await run.ReportAsync();
    }

    /// <summary>Checks the bytes of all blobs, and marks damaged ones.</summary>
    public async Task CheckBlobsAsync(int number, CancellationToken cancellationToken)
    {
        var shard = grains.GetGrain<IBlobShardGrain>(number);
        await foreach (var page in shard.ListPagesAsync(cancellationToken))
        {
            foreach (var blob in page.Blobs)
            {
                await CheckBlobAsync(shard, blob, cancellationToken);
                await run.ReportAsync();
            }
        }

        await CorrectRepositoriesAsync([number], cancellationToken);
    }

    /// <summary>Tells the repositories now which contents count, and not with the next sweep.</summary>
    public Task CorrectRepositoriesAsync(IEnumerable<int> numbers, CancellationToken cancellationToken) =>
        collector.CollectShardsAsync(numbers, grace: null, new CollectionCounts(), cancellationToken);

    private async Task RepairRowAsync(IBlobShardGrain shard, Digest digest, CancellationToken cancellationToken)
    {
        run.Add("damagedRows", 1);
        run.AddFinding(await shard.Repair(digest, cancellationToken)
            ? $"The row of blob {digest} was damaged. The scrub has counted its references again, and looks for its object. "
              + "If there is none, push the blob again."
            : $"The row of blob {digest} cannot be read: a newer release wrote it. Run that release.");
    }

    private async Task CheckBlobAsync(IBlobShardGrain shard, ShardBlob blob, CancellationToken cancellationToken)
    {
        run.Add("blobs", 1);
        run.Add("bytes", blob.Size);
        var fault = await FindFaultAsync(shard, blob, cancellationToken);

        // A blob that was collected or replaced meanwhile has no fault: MarkDamaged returns false.
        if (fault is not null && await shard.MarkDamaged(blob.Digest, blob.Content, cancellationToken))
        {
            run.Add("damaged", 1);
            run.AddFinding($"Blob {blob.Digest} is damaged: {fault}. Clients get 404 for it. Push it again to repair it.");
        }
    }

    private async Task<string?> FindFaultAsync(IBlobShardGrain shard, ShardBlob blob, CancellationToken cancellationToken)
    {
        if (blob.Content is { } id)
        {
            return await objects.FindFaultAsync(id, blob.Digest, blob.Size, cancellationToken);
        }

        return await shard.IsRowWhole(blob.Digest, cancellationToken) ? null : "the bytes in its row are not what the digest says";
    }
}
