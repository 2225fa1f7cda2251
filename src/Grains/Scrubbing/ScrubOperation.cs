using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Catalog;
using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Operations;
using Granary.Protocol;
using Granary.Storage.Blobs;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Scrubbing;

/// <summary>
/// Checks, while the registry serves, that every blob's bytes are what its digest says, that every link has its reference, that every manifest's bytes are its own, and that every object has an
/// owner. Damaged blobs are as good as absent from then on, so that clients push them again, which mends them; lost references are made again; objects
/// of nobody are deleted when no upload can claim them any more.
/// </summary>
public sealed class ScrubOperation(
    GarbageCollector collector,
    IGrainFactory grains,
    IBlobStore store,
    IOptions<ScrubOptions> options,
    IOptions<LifetimeOptions> lifetimes,
    TimeProvider time) : IOperation
{
    private const int PageSize = 100;
    private const int ReadSize = 1024 * 1024;

    // Clocks of file systems and servers differ, and an upload may just be on its way.
    private static readonly TimeSpan OwnerlessMargin = TimeSpan.FromDays(1);

    /// <inheritdoc/>
    public OperationKind Kind => OperationKind.Scrub;

    /// <inheritdoc/>
    public async Task RunAsync(OperationRun run, CancellationToken cancellationToken)
    {
        var pace = new Pace(run.Request.BytesPerSecond ?? options.Value.MegabytesPerSecond * 1_000_000L, time);
        run.Total = GarbageCollector.ShardCount + 3;

        // :: Step 1: rows of blobs that cannot be read: whoever needs one of them would stumble.
        if (run.Done == 0)
        {
            await RepairRowsAsync(run, cancellationToken);
            await run.StepAsync();
        }

        // :: Step 2: what repositories rely on; rows of blobs that were lost come back from here.
        if (run.Done == 1)
        {
            await CheckRepositoriesAsync(run, cancellationToken);
            await run.StepAsync();
        }

        // :: Step 3: the bytes of every blob.
        for (var number = run.Done - 2; number < GarbageCollector.ShardCount; number++)
        {
            await CheckShardAsync((int)number, run, pace, cancellationToken);
            await run.StepAsync();
        }

        // :: Step 4: what lies in the store: bytes that a damaged blob can use, and bytes of nobody.
        if (run.Done < run.Total)
        {
            await CheckObjectsAsync(run, pace, cancellationToken);
            await run.StepAsync();
        }
    }

    private async Task RepairRowsAsync(OperationRun run, CancellationToken cancellationToken)
    {
        for (var number = 0; number < GarbageCollector.ShardCount; number++)
        {
            var shard = grains.GetGrain<IBlobShardGrain>(number);
            await foreach (var page in shard.PagesAsync(cancellationToken))
            {
                foreach (var digest in page.Unreadable)
                {
                    run.Add("damagedRows", 1);
                    run.Find(await shard.Repair(digest, cancellationToken)
                        ? $"The row of blob {digest} could not be read: it is damaged. Its references were counted again; if its object is not found, pushing it again mends it."
                        : $"The row of blob {digest} cannot be read: a newer release wrote it. Run that one.");
                }
            }

            // What it has to tell repositories is no fault of theirs.
            await collector.CollectShardsAsync([number], grace: null, new CollectionCounts(), cancellationToken);
            await run.ReportAsync();
        }
    }

    private async Task CheckShardAsync(int number, OperationRun run, Pace pace, CancellationToken cancellationToken)
    {
        var shard = grains.GetGrain<IBlobShardGrain>(number);
        await foreach (var page in shard.PagesAsync(cancellationToken))
        {
            foreach (var blob in page.Blobs)
            {
                await CheckBlobAsync(shard, blob, run, pace, cancellationToken);
                await run.ReportAsync();
            }
        }

        // Repositories learn of it now, and not with the next sweep.
        await collector.CollectShardsAsync([number], grace: null, new CollectionCounts(), cancellationToken);
    }

    private async Task CheckBlobAsync(IBlobShardGrain shard, ShardBlob blob, OperationRun run, Pace pace, CancellationToken cancellationToken)
    {
        run.Add("blobs", 1);
        run.Add("bytes", blob.Size);
        var wrong = blob.Content is { } id
            ? await FindFaultAsync(id, blob.Digest, blob.Size, pace, cancellationToken)
            : await shard.IsRowWhole(blob.Digest, cancellationToken) ? null : "its row does not hold what the digest says";

        // What was collected, or replaced, meanwhile is no fault.
        if (wrong is not null && await shard.MarkDamaged(blob.Digest, blob.Content, cancellationToken))
        {
            run.Add("damaged", 1);
            run.Find($"Blob {blob.Digest} is damaged: {wrong}. Clients are told that it is not there; pushing it again mends it.");
        }
    }

    private async Task<string?> FindFaultAsync(ObjectId id, Digest digest, long size, Pace pace, CancellationToken cancellationToken)
    {
        await using var reader = await store.OpenAsync(id, digest, cancellationToken);
        if (reader is null)
        {
            return $"object {id} is missing";
        }

        if (reader.Length != size)
        {
            return $"object {id} has {reader.Length} bytes and not {size}";
        }

        using var hash = new RunningHash(digest.Algorithm);
        var buffer = new byte[Math.Min(ReadSize, Math.Max(size, 1))];
        for (var offset = 0L; ;)
        {
            var count = await reader.ReadAsync(offset, buffer, cancellationToken);
            if (count == 0)
            {
                break;
            }

            hash.Append(buffer.AsSpan(0, count));
            offset += count;
            await pace.WaitAsync(count, cancellationToken);
        }

        return hash.ToDigest() == digest ? null : $"the bytes of object {id} are not what the digest says";
    }

    private async Task CheckRepositoriesAsync(OperationRun run, CancellationToken cancellationToken)
    {
        await foreach (var repository in grains.GetGrain<ICatalogGrain>(0).AllAsync(cancellationToken))
        {
            try
            {
                await CheckRepositoryAsync(repository, run, cancellationToken);
            }
            catch (FormatException e)
            {
                run.Add("damagedRows", 1);
                run.Find($"{repository}: a row cannot be read: {e.Message} Delete the repository and push it again, or restore a backup.");
            }
        }
    }

    private async Task CheckRepositoryAsync(RepositoryName name, OperationRun run, CancellationToken cancellationToken)
    {
        var repository = grains.GetGrain<IRepositoryMaintenanceGrain>(name.Value);
        run.Add("repositories", 1);
        Digest? after = null;
        do
        {
            var page = await repository.CheckManifests(after, PageSize, cancellationToken);
            run.Add("manifests", page.Checked);
            foreach (var damaged in page.Damaged)
            {
                run.Add("damagedRows", 1);
                run.Find($"{name}: the rows of {damaged} cannot be read, or do not hold what they should. Delete the manifest and push it again, or restore a backup.");
            }

            after = page.After;
            await run.ReportAsync();
        }
        while (after is not null);

        Digest? last = null;
        while (await repository.ListLinks(last, PageSize, cancellationToken) is { Length: > 0 } links)
        {
            foreach (var link in links)
            {
                var shard = grains.GetGrain<IBlobShardGrain>(link.Digest.FirstByte);
                if (!await shard.IsClaimed(link.Digest, name, link.Object, cancellationToken) && await repository.RestoreReference(link.Digest, cancellationToken))
                {
                    run.Add("pinned", 1);
                    run.Find($"{name}: the registry's rows of blob {link.Digest} were lost or damaged; they were made again from the repository's.");
                }
            }

            last = links[^1].Digest;
            await run.ReportAsync();
        }
    }

    private async Task CheckObjectsAsync(OperationRun run, Pace pace, CancellationToken cancellationToken)
    {
        // Sessions first: an object whose session has just expired is deleted by it.
        await collector.CollectUploadsAsync([.. ScheduleKeys.Uploads], new CollectionCounts(), cancellationToken);

        var oldest = time.GetUtcNow() - lifetimes.Value.UploadExpiry - OwnerlessMargin;
        var mended = new HashSet<byte>();
        await foreach (var stored in store.ListAsync(cancellationToken))
        {
            run.Add("objects", 1);
            if (stored.Digest is { } digest && await MendsAsync(digest, stored, pace, cancellationToken))
            {
                mended.Add(digest.FirstByte);
                run.Add("mended", 1);
                run.Find($"Blob {digest} was damaged or missing; object {stored.Id}, which was found in the store, is it now.");
            }
            else if (stored.LastWrite < oldest && await IsNobodysAsync(stored, cancellationToken))
            {
                await store.DeleteAsync(stored.Id, stored.Digest, cancellationToken);
                run.Add("reclaimed", 1);
                run.Add("reclaimedBytes", stored.Length);
            }

            await run.ReportAsync();
        }

        await collector.CollectShardsAsync(mended.Select(number => (int)number), grace: null, new CollectionCounts(), cancellationToken);
    }

    /// <summary>Whether a damaged blob has got its bytes back: those of an object that nobody owns and that bears its name.</summary>
    private async Task<bool> MendsAsync(Digest digest, StoredObject stored, Pace pace, CancellationToken cancellationToken)
    {
        var shard = grains.GetGrain<IBlobShardGrain>(digest.FirstByte);
        return await shard.Find(digest, cancellationToken) is { IsDamaged: true } damaged
            && damaged.Content != stored.Id
            && await FindFaultAsync(stored.Id, digest, stored.Length, pace, cancellationToken) is null
            && await shard.Adopt(digest, new ObjectContent(stored.Id, stored.Length), cancellationToken);
    }

    /// <summary>Whether no session and no shard can have a claim to the object: for a sealed one Renounce says so, for ever (rule 8).</summary>
    private async Task<bool> IsNobodysAsync(StoredObject stored, CancellationToken cancellationToken)
    {
        if (stored.Digest is not { } digest)
        {
            return true;
        }

        var shard = grains.GetGrain<IBlobShardGrain>(digest.FirstByte);
        return !await shard.Owns(digest, stored.Id, cancellationToken)
            && await shard.Renounce(digest, stored.Id, time.GetUtcNow(), cancellationToken) == RenounceAnswer.Renounced;
    }

    /// <summary>Keeps reading below so many bytes in a second.</summary>
    private sealed class Pace(long bytesPerSecond, TimeProvider time)
    {
        private readonly long _started = time.GetTimestamp();
        private long _bytes;

        public async ValueTask WaitAsync(int count, CancellationToken cancellationToken)
        {
            _bytes += count;
            var ahead = TimeSpan.FromSeconds((double)_bytes / bytesPerSecond) - time.GetElapsedTime(_started);
            if (ahead > TimeSpan.FromMilliseconds(5))
            {
                await Task.Delay(ahead, time, cancellationToken);
            }
        }
    }
}
