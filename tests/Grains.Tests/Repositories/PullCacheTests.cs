using System.Collections.Concurrent;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Tests.Cluster;
using Granary.Protocol;
using Granary.Testing;

namespace Granary.Grains.Tests.Repositories;

/// <summary>A cached answer to a pull is the answer that the grain would give.</summary>
public sealed class PullCacheTests : GrainTest
{
    private static readonly RepositoryName App = RepositoryName.Parse("app");
    private static readonly Tag Latest = Tag.Parse("latest");
    private static readonly Digest Blob = Commands.DigestOf("blob");

    private IRepositoryGrain Repository => Cluster.Repository("app");

    [Fact]
    public async Task A_pulled_manifest_is_cached_under_the_key_of_the_pull_only()
    {
        var command = Commands.Put("x", ["latest"]);
        await Repository.PutManifest(command, default);
        Assert.Null(FindCached<FoundManifest>(PullCacheKey.Tagged(App, Latest, withBody: true)));

        await Repository.FindTagged(Latest, withBody: true, default);
        await Repository.FindManifest(command.Digest, withBody: false, default);

        Assert.Equal(command.Body, FindCached<FoundManifest>(PullCacheKey.Tagged(App, Latest, withBody: true))!.Body);
        Assert.Equal(command.Body.Length, FindCached<FoundManifest>(PullCacheKey.Manifest(App, command.Digest, withBody: false))!.Size);
        Assert.Null(FindCached<FoundManifest>(PullCacheKey.Tagged(App, Latest, withBody: false)));
        Assert.Null(FindCached<FoundManifest>(PullCacheKey.Manifest(App, command.Digest, withBody: true)));
        Assert.Null(FindCached<FoundManifest>(PullCacheKey.Tagged(RepositoryName.Parse("other"), Latest, withBody: true)));
    }

    [Fact]
    public async Task A_pulled_blob_is_cached_and_an_unknown_one_is_not()
    {
        await LinkAsync("blob");
        await Repository.FindBlob(Blob, default);
        await Repository.FindBlobSize(Blob, default);
        await Repository.FindBlob(Commands.DigestOf("none"), default);
        await Repository.FindTagged(Latest, withBody: true, default);

        Assert.Equal(Bytes("blob"), Assert.IsType<InlineContent>(FindCached<BlobContent>(PullCacheKey.Blob(App, Blob))).Bytes);
        Assert.Equal(4, FindCached<long?>(PullCacheKey.BlobSize(App, Blob)));
        Assert.Null(FindCached<BlobContent>(PullCacheKey.Blob(App, Commands.DigestOf("none"))));
        Assert.Null(FindCached<FoundManifest>(PullCacheKey.Tagged(App, Latest, withBody: true)));
    }

    [Fact]
    public async Task A_change_ends_the_answers_of_its_repository_and_no_others()
    {
        await Repository.PutManifest(Commands.Put("x", ["latest"]), default);
        await Cluster.Repository("other").PutManifest(Commands.Put("x", ["latest"]), default);
        var key = PullCacheKey.Tagged(App, Latest, withBody: true);
        var other = key with { Repository = RepositoryName.Parse("other") };
        await Repository.FindTagged(Latest, withBody: true, default);
        await Cluster.Repository("other").FindTagged(Latest, withBody: true, default);

        await Repository.Untag(Latest, default);

        Assert.Null(FindCached<FoundManifest>(key));
        Assert.NotNull(FindCached<FoundManifest>(other));
    }

    [Theory]
    [InlineData(CommitFault.Before)]
    [InlineData(CommitFault.After)]
    public async Task A_commit_that_fails_ends_them_too(CommitFault fault)
    {
        await Repository.PutManifest(Commands.Put("x", ["latest"]), default);
        var key = PullCacheKey.Tagged(App, Latest, withBody: true);
        await Repository.FindTagged(Latest, withBody: true, default);
        Assert.NotNull(FindCached<FoundManifest>(key));

        Store.OnCommit = _ => fault;
        await Assert.ThrowsAnyAsync<Exception>(() => Repository.Untag(Latest, default));

        Assert.Null(FindCached<FoundManifest>(key));
    }

    [Fact]
    public async Task The_answers_of_an_activation_end_with_it()
    {
        await Repository.PutManifest(Commands.Put("x", ["latest"]), default);
        var key = PullCacheKey.Tagged(App, Latest, withBody: true);
        await Repository.FindTagged(Latest, withBody: true, default);
        Assert.NotNull(FindCached<FoundManifest>(key));

        await Cluster.Grains.GetGrain<IManagementGrain>(0).ForceActivationCollection(TimeSpan.Zero);

        await UntilAsync(() => Task.FromResult(FindCached<FoundManifest>(key) is null));
    }

    [Fact]
    public async Task The_grain_is_asked_again_every_ten_seconds_and_when_a_link_has_to_be_renewed()
    {
        await LinkAsync("blob");
        var key = PullCacheKey.Blob(App, Blob);
        await Repository.FindBlob(Blob, default);
        Time.Advance(TimeSpan.FromSeconds(9));
        Assert.NotNull(FindCached<BlobContent>(key));
        Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(FindCached<BlobContent>(key));

        // The link is renewed after five minutes.
        Time.Advance(TimeSpan.FromSeconds(285));
        await Repository.FindBlob(Blob, default);
        Assert.NotNull(FindCached<BlobContent>(key));
        Time.Advance(TimeSpan.FromSeconds(6));
        Assert.Null(FindCached<BlobContent>(key));
    }

    [Fact]
    public async Task Large_answers_are_not_cached_and_the_cache_is_bounded()
    {
        var large = Commands.Put(new string('x', 600_000), ["large"]);
        await Repository.PutManifest(large, default);
        await Repository.FindManifest(large.Digest, withBody: true, default);
        Assert.Null(FindCached<FoundManifest>(PullCacheKey.Manifest(App, large.Digest, withBody: true)));

        var manifests = Enumerable.Range(0, 200).Select(i => Commands.Put(i + new string('x', 60_000), [])).ToArray();
        await Task.WhenAll(manifests.Select(command => Repository.PutManifest(command, default)));
        foreach (var command in manifests)
        {
            await Repository.FindManifest(command.Digest, withBody: true, default);
        }

        var keys = manifests.Select(command => PullCacheKey.Manifest(App, command.Digest, withBody: true));
        Assert.InRange(keys.Count(key => FindCached<FoundManifest>(key) is not null), 1, 70);
    }

    /// <summary>
    /// Tags move all the time, commits fail before or after they take effect, and pulls ask the cache first, as the gateway does.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task No_pull_gets_an_older_state_than_the_one_acknowledged_before_it_began(int seed)
    {
        const int Tags = 4;
        var random = new Random(seed);
        Store.OnCommit = _ =>
        {
            lock (random)
            {
                return (CommitFault)Math.Max(0, random.Next(40) - 37);
            }
        };
        var numbers = new ConcurrentDictionary<Digest, int>();
        var acknowledged = new int[Tags];
        var (hits, asked) = (0, 0);
        using var stop = new CancellationTokenSource();

        async Task WriteAsync(int tag)
        {
            for (var number = 1; !stop.IsCancellationRequested; number++)
            {
                var command = Commands.Put($"{tag}/{number}", [$"t{tag}"]);
                numbers[command.Digest] = number;
                await GrainCluster.PersistAsync(() => Repository.PutManifest(command, default));
                Volatile.Write(ref acknowledged[tag], number);

                // Pulls without a change between them, so that some find a cached answer.
                await Task.WhenAll(Enumerable.Range(0, number % 4).Select(_ => PullAsync(tag)));
            }
        }

        async Task PullAsync(int tag)
        {
            var floor = Volatile.Read(ref acknowledged[tag]);
            var name = Tag.Parse($"t{tag}");
            var found = FindCached<FoundManifest>(PullCacheKey.Tagged(App, name, withBody: true));
            Interlocked.Increment(ref found is null ? ref asked : ref hits);
            found ??= await GrainCluster.PersistAsync(() => Repository.FindTagged(name, withBody: true, default));
            Assert.InRange(found is null ? 0 : numbers[found.Digest], floor, int.MaxValue);
        }

        async Task ReadAsync()
        {
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                await PullAsync(i % Tags);
            }
        }

        var all = Enumerable.Range(0, Tags).Select(WriteAsync).Concat(Enumerable.Range(0, 3).Select(_ => ReadAsync())).ToArray();
        await UntilAsync(() => Task.FromResult(all.Any(task => task.IsFaulted) || acknowledged.Min() > 150));
        await stop.CancelAsync();
        await Task.WhenAll(all);

        Assert.True(hits > 100, $"Only {hits} of {hits + asked} pulls found a cached answer.");
    }

    private Task<LinkAnswer> LinkAsync(string content) => GrainCluster.LinkAsync(Repository, Bytes(content));

    private T? FindCached<T>(PullCacheKey key) => Cluster.Answers.TryFind<T>(key, out var answer) ? answer : default;
}
