using System.Collections.Concurrent;
using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Tests.Cluster;
using Granary.Protocol;
using Granary.Storage.Partitions.Memory;
using Granary.Testing;

namespace Granary.Grains.Tests.GarbageCollection;

/// <summary>Collections that run at once, and collections during faults: clocks jump, commits fail, silos die.</summary>
public sealed class FaultTests : CollectionTest
{
    private IRepositoryGrain Repository => Cluster.Repository("app");

    [Fact]
    public async Task Four_collections_at_once_remove_what_one_would_remove()
    {
        var (kept, gone) = (new List<byte[]>(), new List<byte[]>());
        for (var i = 0; i < 100; i++)
        {
            var content = Bytes($"blob {i}");
            await GrainCluster.LinkAsync(Repository, content);
            (i % 2 == 0 ? kept : gone).Add(content);
        }

        Assert.IsType<ManifestStored>(await Repository.PutManifest(Commands.Put("m", ["v1"], blobs: [.. kept.Select(Digest)]), default));
        for (var hours = 0; hours < 60; hours += 15)
        {
            Time.Advance(TimeSpan.FromHours(15));
            await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => Sweeper().SweepAsync(default)));
        }

        foreach (var content in kept)
        {
            Assert.NotNull(await Cluster.Grains.GetGrain<IBlobShardGrain>(Digest(content).FirstByte).Find(Digest(content), default));
        }

        foreach (var content in gone)
        {
            Assert.Null(await Cluster.Grains.GetGrain<IBlobShardGrain>(Digest(content).FirstByte).Find(Digest(content), default));
        }
    }

    [Fact]
    public async Task A_clock_that_jumps_removes_no_used_blob_and_a_later_collection_removes_the_unused_ones()
    {
        var (used, unused) = (Bytes("used"), Bytes("unused"));
        await GrainCluster.LinkAsync(Repository, used);
        await Repository.PutManifest(Commands.Put("m", ["v1"], blobs: [Digest(used)]), default);

        // The clock jumps ten years ahead and back. Entries of the time between are due in ten years.
        Time.Advance(TimeSpan.FromDays(3650));
        await Sweeper().SweepAsync(default);
        await GrainCluster.LinkAsync(Repository, Bytes("of the future"));
        Time.Advance(-TimeSpan.FromDays(3650));
        await Sweeper().SweepAsync(default);
        await GrainCluster.LinkAsync(Repository, unused);

        // The clock jumps a year back, as with an empty battery.
        Time.Advance(-TimeSpan.FromDays(365));
        await Sweeper().SweepAsync(default);
        Assert.NotNull(await Repository.FindBlobSize(Digest(used), default));
        Assert.NotNull(await Repository.FindBlobSize(Digest(unused), default));
        Time.Advance(TimeSpan.FromDays(365));

        await SweepAfterAsync(Lifetimes.LinkGrace + TimeSpan.FromHours(1));
        await Collector.CollectAllRepositoriesAsync([.. ScheduleKeys.Repositories], Lifetimes.LinkGrace, new CollectionCounts(), default);
        await SweepAfterAsync(Lifetimes.BlobGrace + TimeSpan.FromHours(1));
        Assert.NotNull(await Repository.FindBlobSize(Digest(used), default));
        Assert.Null(await ShardOf(unused).Find(Digest(unused), default));
        Assert.NotNull(await ShardOf(used).Find(Digest(used), default));
    }

    [Fact]
    public async Task A_sweep_passes_a_partition_that_fails_and_the_next_sweep_processes_it()
    {
        var store = new FaultyPartitionStore(new MemoryPartitionStore());
        await using var cluster = await GrainCluster.StartAsync(store, time: Time);
        var contents = Enumerable.Range(0, 20).Select(i => Bytes($"fault {i}")).ToList();
        foreach (var (content, i) in contents.Select((content, i) => (content, i)))
        {
            await GrainCluster.LinkAsync(cluster.Repository($"app{i % 4}"), content);
        }

        store.OnCommit = partition => partition.Value == "repository/app1" ? CommitFault.Before : CommitFault.None;
        Time.Advance(Lifetimes.LinkGrace + TimeSpan.FromHours(1));
        await Assert.ThrowsAsync<AggregateException>(() => Sweeper(cluster).SweepAsync(default));
        Assert.Equal(5, await CountAsync());

        store.OnCommit = _ => CommitFault.None;
        await Sweeper(cluster).SweepAsync(default);
        Assert.Equal(0, await CountAsync());

        async Task<int> CountAsync()
        {
            var count = 0;
            for (var i = 0; i < contents.Count; i++)
            {
                var links = await cluster.Maintenance($"app{i % 4}").ListLinks(after: null, limit: 100, default);
                count += links.Count(link => link.Digest == Digest(contents[i]));
            }

            return count;
        }
    }

    [Fact]
    public async Task A_collection_continues_when_silos_die_during_it()
    {
        var store = new MemoryPartitionStore();
        await using var cluster = await GrainCluster.StartAsync(store, silos: 3, time: Time);
        var kept = new ConcurrentBag<Digest>();
        await Parallel.ForEachAsync(Enumerable.Range(0, 300), async (i, _) =>
        {
            var repository = cluster.Repository($"app{i % 10}");
            await GrainCluster.LinkAsync(repository, Bytes($"kill {i}"));
            if (i % 3 == 0)
            {
                await repository.PutManifest(Commands.Put($"kill {i}", [$"t{i}"], blobs: [Digest(Bytes($"kill {i}"))]), default);
                kept.Add(Digest(Bytes($"kill {i}")));
            }
        });

        for (var round = 0; round < 2; round++)
        {
            Time.Advance(Lifetimes.LinkGrace + TimeSpan.FromHours(1));
            var sweep = SweepThroughAsync(cluster);
            await cluster.KillAsync(cluster.Silos[^1]);
            await sweep;
        }

        for (var round = 0; round < 3; round++)
        {
            Time.Advance(Lifetimes.BlobGrace + TimeSpan.FromHours(1));
            await SweepThroughAsync(cluster);
        }

        var left = new List<Digest>();
        for (var shard = 0; shard < 256; shard++)
        {
            var number = shard;
            var page = await GrainCluster.PersistAsync(
                () => cluster.Grains.GetGrain<IBlobShardGrain>(number).List(after: null, 1000, default));
            left.AddRange(page.Blobs.Select(blob => blob.Digest));
        }

        Assert.Equal(kept.Order(), left.Order());
    }

    private IBlobShardGrain ShardOf(byte[] content) => Cluster.Grains.GetGrain<IBlobShardGrain>(Digest(content).FirstByte);

    /// <summary>Sweeps until a sweep succeeds: calls to a silo that has just died fail.</summary>
    private async Task SweepThroughAsync(GrainCluster cluster)
    {
        using var pause = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                await Sweeper(cluster).SweepAsync(default);
                return;
            }
            catch (AggregateException) when (attempt < 100)
            {
                await pause.WaitForNextTickAsync();
            }
        }
    }

    private static Digest Digest(byte[] content) => Protocol.Digest.Compute(DigestAlgorithm.Sha256, content);
}
