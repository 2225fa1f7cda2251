using System.Collections.Concurrent;
using System.Text;
using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Catalog;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;
using Granary.Storage.Partitions;
using Granary.Storage.Partitions.Memory;
using Granary.Storage.Partitions.Sqlite;
using Granary.Testing;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Grains.Tests.Cluster;

/// <summary>Acknowledged writes stay, whatever happens to silos, activations and commits.</summary>
public sealed class ClusterTests
{
    private const int Repositories = 12;

    [Fact]
    public async Task Acknowledged_writes_survive_killed_silos()
    {
        using var directory = new TemporaryDirectory();
        using var store = new SqlitePartitionStore(directory.Combine("rows.db"));
        await using var cluster = await GrainCluster.StartAsync(store, silos: 4);
        var acknowledged = new ConcurrentDictionary<(string Repository, Tag Tag), Digest>();
        using var stop = new CancellationTokenSource();
        var writers = Enumerable.Range(0, 8).Select(number => WriteAsync(cluster, acknowledged, $"w{number}", stop.Token)).ToArray();

        for (var kill = 0; kill < 2; kill++)
        {
            await UntilAsync(() => acknowledged.Count > (kill + 1) * 300);
            await cluster.KillAsync(cluster.Silos[^1]);
        }

        await UntilAsync(() => acknowledged.Count > 1200);
        await stop.CancelAsync();
        await Task.WhenAll(writers);

        await AssertAllThereAsync(cluster, acknowledged);
    }

    [Fact]
    public async Task Two_clusters_over_one_store_lose_no_acknowledged_write()
    {
        var store = new MemoryPartitionStore();
        await using var one = await GrainCluster.StartAsync(store);
        await using var other = await GrainCluster.StartAsync(store);
        var acknowledged = new ConcurrentDictionary<(string Repository, Tag Tag), Digest>();
        using var stop = new CancellationTokenSource();
        var writers = Enumerable.Range(0, 8)
            .Select(number => WriteAsync(number % 2 == 0 ? one : other, acknowledged, $"w{number}", stop.Token))
            .ToArray();

        await UntilAsync(() => acknowledged.Count > 1000);
        await stop.CancelAsync();
        await Task.WhenAll(writers);

        await AssertAllThereAsync(one, acknowledged);
        await using var later = await GrainCluster.StartAsync(store);
        await AssertAllThereAsync(later, acknowledged);
    }

    [Fact]
    public async Task A_cluster_does_not_confirm_a_manifest_that_another_cluster_has_deleted()
    {
        var store = new MemoryPartitionStore();
        await using var one = await GrainCluster.StartAsync(store);
        await using var other = await GrainCluster.StartAsync(store);
        var command = Commands.Put("manifest", ["v1"]);
        await one.Repository("app").PutManifest(command, CancellationToken.None);
        await one.Repository("app").PutManifest(command with { Origin = Commands.Origin() }, CancellationToken.None);
        Assert.True(await other.Repository("app").DeleteManifest(command.Digest, CancellationToken.None));

        var again = command with { Origin = Commands.Origin() };
        await Assert.ThrowsAsync<PartitionUnavailableException>(() => one.Repository("app").PutManifest(again, CancellationToken.None));
        await GrainCluster.PersistAsync(() => one.Repository("app").PutManifest(again, CancellationToken.None));

        await using var later = await GrainCluster.StartAsync(store);
        Assert.NotNull(await later.Repository("app").FindTagged(Tag.Parse("v1"), withBody: false, CancellationToken.None));
    }

    [Fact]
    public async Task An_activation_commits_its_early_answers_before_it_ends()
    {
        using var directory = new TemporaryDirectory();
        using var store = new SqlitePartitionStore(directory.Combine("rows.db"), new FakeTimeProvider());
        await using var cluster = await GrainCluster.StartAsync(store);
        var blob = Commands.DigestOf("blob");
        var partition = new PartitionKey($"blobs/{blob.FirstByte:x2}");
        var acquire = new AcquireBlob(blob, new InlineContent([1]), RepositoryName.Parse("app"), Sequence: 1, Deadline: default);
        var acquired = await cluster.Grains.GetGrain<IBlobShardGrain>(blob.FirstByte).Acquire(acquire, CancellationToken.None);
        Assert.NotNull(Assert.IsType<Acquired>(acquired).DependsOn);
        Assert.Equal(Head.None, await store.OpenAsync(partition, CancellationToken.None));

        await cluster.StopAsync();

        Assert.Equal(1, (await store.OpenAsync(partition, CancellationToken.None)).Version);
    }

    [Fact]
    public async Task One_of_two_clusters_that_create_a_tag_succeeds()
    {
        var store = new MemoryPartitionStore();
        await using var one = await GrainCluster.StartAsync(store);
        await using var other = await GrainCluster.StartAsync(store);
        for (var round = 0; round < 50; round++)
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(number =>
            {
                var command = Commands.Put($"{round}/{number}", [$"once{round}"], new TagIsNoneOf(Digests: null));
                var repository = (number % 2 == 0 ? one : other).Repository("app");
                return GrainCluster.PersistAsync(() => repository.PutManifest(command, CancellationToken.None));
            }));

            Assert.Single(answers, answer => answer is ManifestStored);
            Assert.All(answers.Where(answer => answer is not ManifestStored), answer => Assert.IsType<ConditionFailed>(answer));
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task No_acknowledged_write_is_lost_if_commits_fail_before_or_after_they_take_effect(int seed)
    {
        var store = new FaultyPartitionStore(new MemoryPartitionStore());
        await using var cluster = await GrainCluster.StartAsync(store);
        var random = new Random(seed);
        store.OnCommit = _ =>
        {
            lock (random)
            {
                return (CommitFault)Math.Max(0, random.Next(12) - 9);
            }
        };
        var acknowledged = new ConcurrentDictionary<(string Repository, Tag Tag), Digest>();
        using var stop = new CancellationTokenSource();
        var writers = Enumerable.Range(0, 6).Select(number => WriteAsync(cluster, acknowledged, $"w{number}", stop.Token)).ToArray();

        await UntilAsync(() => acknowledged.Count > 400);
        await stop.CancelAsync();
        await Task.WhenAll(writers);
        store.OnCommit = _ => CommitFault.None;

        await AssertAllThereAsync(cluster, acknowledged);
    }

    [Fact]
    public async Task A_repeated_conditional_push_succeeds_if_its_first_commit_took_effect_without_an_answer()
    {
        var store = new FaultyPartitionStore(new MemoryPartitionStore());
        await using var cluster = await GrainCluster.StartAsync(store);
        var repository = cluster.Repository("app");
        await GrainCluster.LinkAsync(repository, [1]);
        store.OnCommit = partition =>
        {
            store.OnCommit = _ => CommitFault.None;
            return partition.Value == "repository/app" ? CommitFault.After : CommitFault.None;
        };
        var command = Commands.Put("x", ["v1"], new TagIsNoneOf(Digests: null));

        var answer = await GrainCluster.PersistAsync(() => repository.PutManifest(command, CancellationToken.None));
        var another = await repository.PutManifest(command with { Origin = Commands.Origin() }, CancellationToken.None);

        Assert.IsType<ManifestStored>(answer);
        Assert.IsType<ConditionFailed>(another);
    }

    /// <summary>Links blobs, and pushes manifests that name them under tags of this writer, until it is stopped.</summary>
    private static async Task WriteAsync(
        GrainCluster cluster,
        ConcurrentDictionary<(string Repository, Tag Tag), Digest> acknowledged,
        string name,
        CancellationToken stop)
    {
        for (var i = 0; !stop.IsCancellationRequested; i++)
        {
            var key = $"app{i % Repositories}";
            var repository = cluster.Repository(key);
            var blob = Encoding.UTF8.GetBytes($"{name}/{i}");
            var linked = await GrainCluster.PersistAsync(() => GrainCluster.LinkAsync(repository, blob));
            Assert.Equal(LinkAnswer.Linked, linked);
            var command = Commands.Put($"{name}/{i}", [$"{name}-{i}"], blobs: [Commands.DigestOf($"{name}/{i}")]);
            var answer = await GrainCluster.PersistAsync(() => repository.PutManifest(command, CancellationToken.None));
            Assert.IsType<ManifestStored>(answer);
            acknowledged[(key, command.Tags[0])] = command.Digest;
        }
    }

    private static async Task AssertAllThereAsync(
        GrainCluster cluster,
        ConcurrentDictionary<(string Repository, Tag Tag), Digest> acknowledged)
    {
        foreach (var ((repository, tag), digest) in acknowledged)
        {
            var found = await GrainCluster.PersistAsync(
                () => cluster.Repository(repository).FindTagged(tag, withBody: true, CancellationToken.None));
            Assert.Equal(digest, found?.Digest);
            Assert.Equal(digest, Digest.Compute(DigestAlgorithm.Sha256, found!.Body));
        }

        foreach (var group in acknowledged.GroupBy(pair => pair.Key.Repository))
        {
            var page = await GrainCluster.PersistAsync(
                () => cluster.Repository(group.Key).ListTags(after: null, limit: 10_000, CancellationToken.None));
            Assert.Superset(group.Select(pair => pair.Key.Tag).ToHashSet(), page!.Tags.ToHashSet());
        }

        var catalog = await GrainCluster.PersistAsync(
            () => cluster.Grains.GetGrain<ICatalogGrain>(0).List(after: null, limit: 1000, CancellationToken.None));
        var listed = catalog.Repositories.Select(name => name.Value).ToHashSet();
        Assert.Superset(acknowledged.Keys.Select(key => key.Repository).ToHashSet(), listed);
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        for (var i = 0; i < 12_000 && !condition(); i++)
        {
            await timer.WaitForNextTickAsync();
        }

        Assert.True(condition(), "The condition did not become true.");
    }
}
