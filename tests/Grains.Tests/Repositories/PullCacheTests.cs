using System.Collections.Concurrent;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Tests.Cluster;
using Granary.Protocol;
using Granary.Testing;

namespace Granary.Grains.Tests.Repositories;

/// <summary>What a pull is told without a turn of a grain is what the grain would say.</summary>
public sealed class PullCacheTests : GrainTest
{
    private static readonly RepositoryName App = RepositoryName.Parse("app");
    private static readonly Tag Latest = Tag.Parse("latest");
    private static readonly Digest Blob = Commands.DigestOf("blob");

    private IRepositoryGrain Repository => Cluster.Repository("app");

    [Fact]
    public async Task A_manifest_that_was_pulled_is_known_by_what_it_was_asked_by()
    {
        var command = Commands.Put("x", ["latest"]);
        await Repository.PutManifest(command, default);
        Assert.Null(Known<FoundManifest>(PullCacheKey.Tagged(App, Latest, withBody: true)));

        await Repository.FindTagged(Latest, withBody: true, default);
        await Repository.FindManifest(command.Digest, withBody: false, default);

        Assert.Equal(command.Body, Known<FoundManifest>(PullCacheKey.Tagged(App, Latest, withBody: true))!.Body);
        Assert.Equal(command.Body.Length, Known<FoundManifest>(PullCacheKey.Manifest(App, command.Digest, withBody: false))!.Size);
        Assert.Null(Known<FoundManifest>(PullCacheKey.Tagged(App, Latest, withBody: false)));
        Assert.Null(Known<FoundManifest>(PullCacheKey.Manifest(App, command.Digest, withBody: true)));
        Assert.Null(Known<FoundManifest>(PullCacheKey.Tagged(RepositoryName.Parse("other"), Latest, withBody: true)));
    }

    [Fact]
    public async Task A_blob_that_was_pulled_is_known_and_one_that_nobody_has_is_not()
    {
        await LinkAsync("blob");
        await Repository.FindBlob(Blob, default);
        await Repository.FindBlobSize(Blob, default);
        await Repository.FindBlob(Commands.DigestOf("none"), default);
        await Repository.FindTagged(Latest, withBody: true, default);

        Assert.Equal(Bytes("blob"), Assert.IsType<InlineContent>(Known<BlobContent>(PullCacheKey.Blob(App, Blob))).Bytes);
        Assert.Equal(4, Known<long?>(PullCacheKey.BlobSize(App, Blob)));
        Assert.Null(Known<BlobContent>(PullCacheKey.Blob(App, Commands.DigestOf("none"))));
        Assert.Null(Known<FoundManifest>(PullCacheKey.Tagged(App, Latest, withBody: true)));
    }

    [Fact]
    public async Task A_change_takes_all_answers_of_its_repository_back_and_no_others()
    {
        await Repository.PutManifest(Commands.Put("x", ["latest"]), default);
        await Cluster.Repository("other").PutManifest(Commands.Put("x", ["latest"]), default);
        var (question, elsewhere) = (PullCacheKey.Tagged(App, Latest, withBody: true), PullCacheKey.Tagged(RepositoryName.Parse("other"), Latest, withBody: true));
        await Repository.FindTagged(Latest, withBody: true, default);
        await Cluster.Repository("other").FindTagged(Latest, withBody: true, default);

        await Repository.Untag(Latest, default);

        Assert.Null(Known<FoundManifest>(question));
        Assert.NotNull(Known<FoundManifest>(elsewhere));
    }

    [Theory]
    [InlineData(CommitFault.Before)]
    [InlineData(CommitFault.After)]
    public async Task A_commit_that_may_have_failed_takes_them_back_too(CommitFault fault)
    {
        await Repository.PutManifest(Commands.Put("x", ["latest"]), default);
        var question = PullCacheKey.Tagged(App, Latest, withBody: true);
        await Repository.FindTagged(Latest, withBody: true, default);
        Assert.NotNull(Known<FoundManifest>(question));

        Store.OnCommit = _ => fault;
        await Assert.ThrowsAnyAsync<Exception>(() => Repository.Untag(Latest, default));

        Assert.Null(Known<FoundManifest>(question));
    }

    [Fact]
    public async Task An_activation_that_ends_takes_its_answers_along()
    {
        await Repository.PutManifest(Commands.Put("x", ["latest"]), default);
        var question = PullCacheKey.Tagged(App, Latest, withBody: true);
        await Repository.FindTagged(Latest, withBody: true, default);
        Assert.NotNull(Known<FoundManifest>(question));

        await Cluster.Grains.GetGrain<IManagementGrain>(0).ForceActivationCollection(TimeSpan.Zero);

        await UntilAsync(() => Task.FromResult(Known<FoundManifest>(question) is null));
    }

    [Fact]
    public async Task The_grain_is_asked_again_every_ten_seconds_and_when_a_link_has_to_be_renewed()
    {
        await LinkAsync("blob");
        var question = PullCacheKey.Blob(App, Blob);
        await Repository.FindBlob(Blob, default);
        Time.Advance(TimeSpan.FromSeconds(9));
        Assert.NotNull(Known<BlobContent>(question));
        Time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(Known<BlobContent>(question));

        // The link is renewed after five minutes.
        Time.Advance(TimeSpan.FromSeconds(285));
        await Repository.FindBlob(Blob, default);
        Assert.NotNull(Known<BlobContent>(question));
        Time.Advance(TimeSpan.FromSeconds(6));
        Assert.Null(Known<BlobContent>(question));
    }

    [Fact]
    public async Task What_is_large_is_not_kept_and_what_is_kept_is_bounded()
    {
        var large = Commands.Put(new string('x', 600_000), ["large"]);
        await Repository.PutManifest(large, default);
        await Repository.FindManifest(large.Digest, withBody: true, default);
        Assert.Null(Known<FoundManifest>(PullCacheKey.Manifest(App, large.Digest, withBody: true)));

        var manifests = Enumerable.Range(0, 200).Select(i => Commands.Put(i + new string('x', 60_000), [])).ToArray();
        await Task.WhenAll(manifests.Select(command => Repository.PutManifest(command, default)));
        foreach (var command in manifests)
        {
            await Repository.FindManifest(command.Digest, withBody: true, default);
        }

        Assert.InRange(manifests.Count(command => Known<FoundManifest>(PullCacheKey.Manifest(App, command.Digest, withBody: true)) is not null), 1, 70);
    }

    /// <summary>Tags that move all the time, under commits that fail before and after they are done, and pulls that look at the answers first, as the gateway does.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task No_pull_is_told_of_an_older_state_than_was_acknowledged_when_it_began(int seed)
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

                // Some time for pulls to find the answers of those before them.
                await Task.WhenAll(Enumerable.Range(0, number % 4).Select(_ => PullAsync(tag)));
            }
        }

        async Task PullAsync(int tag)
        {
            var floor = Volatile.Read(ref acknowledged[tag]);
            var name = Tag.Parse($"t{tag}");
            var found = Known<FoundManifest>(PullCacheKey.Tagged(App, name, withBody: true));
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

        Assert.True(hits > 100, $"Only {hits} of {hits + asked} pulls found their answer.");
    }

    private Task<LinkAnswer> LinkAsync(string content) => GrainCluster.LinkAsync(Repository, Bytes(content));

    private T? Known<T>(PullCacheKey question) => Cluster.Answers.TryFind<T>(question, out var answer) ? answer : default;
}
