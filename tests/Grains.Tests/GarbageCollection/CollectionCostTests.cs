using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Repositories.Maintenance;
using Granary.Grains.Tests.Cluster;
using Granary.Protocol;
using Granary.Testing;

namespace Granary.Grains.Tests.GarbageCollection;

/// <summary>What a collection costs: commits, activations, and rests while clients send requests.</summary>
public sealed class CollectionCostTests : CollectionTest
{
    [Fact]
    public async Task References_to_blobs_of_one_shard_are_released_in_one_commit()
    {
        var contents = await LinkInOneShardAsync(5);
        var (shard, before) = (Shard(contents[0]), await VersionAsync(Shard(contents[0])));

        await CollectRepositoriesAsync();

        Assert.Equal(before + 1, await VersionAsync(shard));
        Assert.Empty(await KeysAsync(shard, "ref/"));
        Assert.Empty(await KeysAsync("repository/app", "out/"));
    }

    [Fact]
    public async Task A_shard_that_fails_keeps_its_references_and_the_others_release_theirs()
    {
        await GrainCluster.LinkAsync(Cluster.Repository("app"), Bytes("one"));
        await GrainCluster.LinkAsync(Cluster.Repository("app"), Bytes("two"));
        var (failing, other) = (Shard("one"), Shard("two"));
        Assert.NotEqual(failing, other);

        Store.OnCommit = partition => partition.Value == failing ? CommitFault.Before : CommitFault.None;
        await CollectRepositoriesAsync();
        Assert.Single(await KeysAsync(failing, "ref/"));
        Assert.Empty(await KeysAsync(other, "ref/"));
        Assert.Contains(Commands.DigestOf("one").Value, Assert.Single(await KeysAsync("repository/app", "out/")), StringComparison.Ordinal);

        Store.OnCommit = _ => CommitFault.None;
        await CollectRepositoriesAsync();
        Assert.Empty(await KeysAsync(failing, "ref/"));
        Assert.Empty(await KeysAsync("repository/app", "out/"));
    }

    [Fact]
    public async Task A_repository_whose_blobs_are_all_used_is_not_activated()
    {
        await LinkAsync("used", "blob");
        await PutAsync("used", "m", "blob");
        await LinkAsync("unused", "blob");
        await LinkAsync("deleted", "blob");
        var manifest = await PutAsync("deleted", "m", "blob");
        await Cluster.Repository("deleted").DeleteManifest(manifest, default);
        await Cluster.Repository("empty").DeleteManifest(await PutAsync("empty", "m"), default);

        var answers = await AreCollectableAsync("used", "unused", "deleted", "empty", "never");
        Assert.Equal<IEnumerable<bool>>([false, true, true, true, true], answers);
    }

    [Fact]
    public async Task A_repository_with_a_reference_that_is_not_released_yet_is_activated()
    {
        await LinkAsync("app", "used");
        await PutAsync("app", "m", "used");
        await LinkAsync("app", "deleted");
        Store.OnCommit = partition => partition.Value == Shard("deleted") ? CommitFault.Before : CommitFault.None;
        Assert.IsType<BlobDeleted>(await Cluster.Repository("app").DeleteBlob(Commands.DigestOf("deleted"), evenIfUsed: false, default));
        Assert.Equal<IEnumerable<bool>>([true], await AreCollectableAsync("app"));

        Store.OnCommit = _ => CommitFault.None;
        await CollectRepositoriesAsync();
        Assert.Empty(await KeysAsync("repository/app", "out/"));
        Assert.Equal<IEnumerable<bool>>([false], await AreCollectableAsync("app"));
    }

    [Fact]
    public async Task A_collection_rests_while_clients_send_requests_and_only_then()
    {
        var time = new CountedTime();
        var throttle = new CollectionThrottle(time);
        await throttle.RunStepAsync(StepAsync, default);
        Assert.Empty(time.Delays);

        throttle.NoteRequest();
        await throttle.RunStepAsync(StepAsync, default);
        Assert.Equal([TimeSpan.FromMilliseconds(20)], time.Delays);

        // Short steps share one rest.
        await throttle.RunStepAsync(ShortStepAsync, default);
        await throttle.RunStepAsync(ShortStepAsync, default);
        Assert.Single(time.Delays);
        await throttle.RunStepAsync(ShortStepAsync, default);
        Assert.Equal(TimeSpan.FromMilliseconds(6), time.Delays[^1]);

        time.Advance(TimeSpan.FromSeconds(2));
        await throttle.RunStepAsync(StepAsync, default);
        Assert.Equal(2, time.Delays.Count);

        Task<bool> StepAsync() => Work(20);

        Task<bool> ShortStepAsync() => Work(2);

        Task<bool> Work(int milliseconds)
        {
            time.Advance(TimeSpan.FromMilliseconds(milliseconds));
            return Task.FromResult(true);
        }
    }

    private static string Shard(string content) => $"blobs/{Commands.DigestOf(content).FirstByte:x2}";

    private Task<LinkAnswer> LinkAsync(string repository, string content) =>
        GrainCluster.LinkAsync(Cluster.Repository(repository), Bytes(content));

    private async Task<Digest> PutAsync(string repository, string manifest, params string[] blobs)
    {
        var command = Commands.Put(manifest, ["v1"], blobs: [.. blobs.Select(Commands.DigestOf)]);
        Assert.IsType<ManifestStored>(await Cluster.Repository(repository).PutManifest(command, default));
        return command.Digest;
    }

    private async Task<string[]> LinkInOneShardAsync(int count)
    {
        var byShard = Enumerable.Range(0, 256 * 20).Select(i => $"content {i}").GroupBy(Shard);
        string[] contents = [.. byShard.First(group => group.Count() >= count).Take(count)];
        foreach (var content in contents)
        {
            await LinkAsync("app", content);
        }

        return contents;
    }

    private Task CollectRepositoriesAsync() =>
        Collector.CollectAllRepositoriesAsync([.. ScheduleKeys.Repositories], TimeSpan.Zero, new CollectionCounts(), default);

    private Task<bool[]> AreCollectableAsync(params string[] repositories) =>
        new RepositoryProbe(Store, History, Time).AreCollectableAsync(Array.ConvertAll(repositories, RepositoryName.Parse), default);

    /// <summary>A clock that only the test moves. Its timers end at once.</summary>
    private sealed class CountedTime : TimeProvider
    {
        private long _now = 1;

        public List<TimeSpan> Delays { get; } = [];

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => _now;

        public void Advance(TimeSpan by) => _now += by.Ticks;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Delays.Add(dueTime);
            return System.CreateTimer(callback, state, TimeSpan.Zero, period);
        }
    }
}
