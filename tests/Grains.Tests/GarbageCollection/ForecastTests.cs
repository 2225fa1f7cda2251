using System.Globalization;
using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Interfaces.Uploads;
using Granary.Grains.Operations;
using Granary.Grains.Tests.Cluster;
using Granary.Protocol;
using Granary.Storage.Blobs;
using Granary.Testing;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Tests.GarbageCollection;

/// <summary>A dry run counts what a collection with the same options then removes.</summary>
public sealed class ForecastTests : CollectionTest
{
    private static readonly string[] Counted = ["manifests", "unlinked", "blobs", "bytes", "objects", "uploads"];

    private int _uploads;

    private IRepositoryGrain Repository => Cluster.Repository("app");

    /// <summary>
    /// A registry that grows, changes and ages at random, and collections with random options. A dry run counts what the collection then
    /// removes, or less where it says "at least".
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task A_dry_run_of_a_random_registry_counts_what_the_collection_removes(int seed)
    {
        var random = new Random(seed);
        var manifests = new Dictionary<string, List<Digest>>(StringComparer.Ordinal) { ["app"] = [], ["team/app"] = [], ["other"] = [] };
        var (total, exact) = (new Dictionary<string, long>(StringComparer.Ordinal), 0);
        for (var round = 0; round < 40; round++)
        {
            for (var i = random.Next(30); i >= 0; i--)
            {
                await ActAsync(random, manifests);
            }

            foreach (var name in manifests.Keys)
            {
                // A deletion releases its references after its answer. This call waits for that, so that it does not happen between the two
                // runs.
                await Cluster.Maintenance(name).Exists(default);
            }

            Time.Advance(TimeSpan.FromMinutes(random.Next(4) switch { 0 => 7, 1 => 100, 2 => 1600, _ => 9000 }));
            var request = new OperationRequest
            {
                Kind = OperationKind.Collection,
                Grace = random.Next(4) switch { 0 => null, 1 => TimeSpan.FromMinutes(90), _ => TimeSpan.Zero },
                UntaggedAge = random.Next(3) switch { 0 => null, 1 => TimeSpan.FromDays(1), _ => TimeSpan.Zero },
            };
            var told = await RunAsync(request with { DryRun = true });
            var done = await RunAsync(request);
            exact += told.ContainsKey(OperationResults.AtLeast) ? 0 : 1;
            foreach (var name in Counted)
            {
                var (said, did) = (told.GetValueOrDefault(name), done.GetValueOrDefault(name));
                Assert.True(
                    said == did || (said < did && told.ContainsKey(OperationResults.AtLeast)),
                    string.Create(
                        CultureInfo.InvariantCulture,
                        $"Seed {seed}, round {round}, {request}: the dry run counted {said} {name}, the collection {did}."));
                total[name] = total.GetValueOrDefault(name) + did;
            }
        }

        Assert.All(Counted, name => Assert.True(total[name] > 0, $"No collection had any {name}: the test shows nothing about them."));
        Assert.True(exact > 30, $"Only {exact} of 40 dry runs were exact.");
    }

    [Fact]
    public async Task A_dry_run_counts_children_referrers_and_their_blobs()
    {
        var digests = new List<Digest>();
        foreach (var content in (string[])["one", "two", "three"])
        {
            await GrainCluster.LinkAsync(Repository, Bytes(content));
            digests.Add(Commands.DigestOf(content));
        }

        var amd = await PutAsync("app", Commands.Put("amd64", [], blobs: [digests[0]]));
        var arm = await PutAsync("app", Commands.Put("arm64", [], blobs: [digests[1]]));
        var index = await PutAsync("app", Commands.Index("index", [], amd, arm));
        await PutAsync("app", Commands.Put("signature", [], blobs: [digests[2]], subject: index));
        Time.Advance(TimeSpan.FromMinutes(1));

        var request = new OperationRequest { Kind = OperationKind.Collection, Grace = TimeSpan.Zero, UntaggedAge = TimeSpan.Zero };
        var told = await RunAsync(request with { DryRun = true });
        Assert.NotNull(await Repository.FindManifest(amd, withBody: false, default));

        Assert.Equal((4, 3, 3, 11), (told["manifests"], told["unlinked"], told["blobs"], told["bytes"]));
        var done = await RunAsync(request);
        Assert.Equal(Counted.Select(name => told.GetValueOrDefault(name)), Counted.Select(name => done.GetValueOrDefault(name)));
    }

    [Fact]
    public async Task A_dry_run_counts_references_that_wait_to_be_released()
    {
        await GrainCluster.LinkAsync(Repository, Bytes("waits"));
        await GrainCluster.LinkAsync(Cluster.Repository("other"), Bytes("waits"));
        Store.OnCommit = key => key.Value.StartsWith("blobs/", StringComparison.Ordinal) ? CommitFault.Before : CommitFault.None;
        await Repository.DeleteBlob(Commands.DigestOf("waits"), evenIfUsed: false, default);
        await Cluster.Maintenance("app").Exists(default);
        Store.OnCommit = _ => CommitFault.None;
        Assert.Single(await KeysAsync("repository/app", "out/"));

        var told = await ForecastAsync(TimeSpan.Zero);

        Assert.Equal((1, 1, 5), (told.Counts.BlobsUnlinked, told.Counts.BlobsCollected, told.Counts.BytesCollected));
        var done = await RunAsync(new OperationRequest { Kind = OperationKind.Collection, Grace = TimeSpan.Zero });
        Assert.Equal((1, 1, 5), (done["unlinked"], done["blobs"], done["bytes"]));
    }

    [Fact]
    public async Task A_dry_run_without_memory_for_everything_says_at_least()
    {
        for (var i = 0; i < 20; i++)
        {
            var content = i.ToString(CultureInfo.InvariantCulture);
            await GrainCluster.LinkAsync(Repository, Bytes(content));
            await PutAsync("app", Commands.Put(content, [], blobs: [Commands.DigestOf(content)]));
        }

        Time.Advance(TimeSpan.FromMinutes(1));
        var all = await ForecastAsync(TimeSpan.Zero, Time.GetUtcNow());
        var part = await ForecastAsync(TimeSpan.Zero, Time.GetUtcNow(), maxDigests: 9);

        Assert.True(all.IsExact);
        Assert.Equal((20, 20, 20), (all.Counts.ManifestsRemoved, all.Counts.BlobsUnlinked, all.Counts.BlobsCollected));
        Assert.False(part.IsExact);
        Assert.InRange(part.Counts.ManifestsRemoved, 1, 9);
        Assert.InRange(part.Counts.BlobsCollected, 0, 9);
    }

    [Fact]
    public async Task A_dry_run_commits_nothing()
    {
        await GrainCluster.LinkAsync(Repository, Bytes("unused"));
        await PushAsync("app", "object", "object");
        await SealAsync("never linked");
        Time.Advance(TimeSpan.FromDays(3));
        var commits = 0;
        Store.OnCommit = _ =>
        {
            commits++;
            return CommitFault.None;
        };

        var request = new OperationRequest { Kind = OperationKind.Collection, Grace = TimeSpan.Zero, UntaggedAge = TimeSpan.Zero };
        var told = await RunAsync(request with { DryRun = true });

        Assert.Equal(0, commits);
        Assert.Equal((2, 2), (told["unlinked"], told["objects"]));
    }

    private async Task ActAsync(Random random, Dictionary<string, List<Digest>> manifests)
    {
        var name = manifests.Keys.ElementAt(random.Next(manifests.Count));
        var repository = Cluster.Repository(name);
        var known = manifests[name];
        var contents = Enumerable.Range(0, random.Next(1, 3)).Select(_ => $"content-{random.Next(8)}").Distinct().ToList();
        string[] tags = random.Next(3) == 0 ? [$"t{random.Next(5)}"] : [];
        switch (random.Next(12))
        {
            case 0 when known.Count > 0:
                await repository.DeleteManifest(known[random.Next(known.Count)], default);
                break;

            case 1:
                await repository.DeleteBlob(Commands.DigestOf(contents[0]), evenIfUsed: random.Next(2) == 0, default);
                break;

            case 2:
                await SealAsync(contents[0]);
                break;

            case 3:
                await BeginAsync(NextSession());
                break;

            case 4:
                await repository.Untag(Tag.Parse($"t{random.Next(5)}"), default);
                break;

            case 5 when known.Count > 1:
                Digest[] children = [.. known.OrderBy(_ => random.Next()).Take(2)];
                await TryPutAsync(name, Commands.Index($"index-{random.Next(1000)}", tags, children), known);
                break;

            case 6 when known.Count > 0:
                var subject = known[random.Next(known.Count)];
                await TryPutAsync(name, Commands.Put($"referrer-{random.Next(1000)}", tags, subject: subject), known);
                break;

            case 7 when known.Count > 0:
                // A subject may be an index's child, a referrer, or in another repository.
                var index = Commands.Index($"index-{random.Next(1000)}", tags, [known[random.Next(known.Count)]]);
                await TryPutAsync(name, index with { Subject = known[random.Next(known.Count)] }, known);
                break;

            default:
                foreach (var content in contents)
                {
                    await (random.Next(2) == 0 ? GrainCluster.LinkAsync(repository, Bytes(content)) : PushAsync(name, content, content));
                }

                if (random.Next(4) > 0)
                {
                    Digest[] blobs = [.. contents.Select(Commands.DigestOf)];
                    await TryPutAsync(name, Commands.Put($"image-{random.Next(1000)}", tags, blobs: blobs), known);
                }

                break;
        }
    }

    private async Task TryPutAsync(string repository, PutManifest command, List<Digest> known)
    {
        if (await Cluster.Repository(repository).PutManifest(command, default) is ManifestStored)
        {
            known.Add(command.Digest);
        }
    }

    private async Task<Digest> PutAsync(string repository, PutManifest command)
    {
        Assert.IsType<ManifestStored>(await Cluster.Repository(repository).PutManifest(command, default));
        return command.Digest;
    }

    /// <summary>Runs a collection as the worker does. Returns its counts.</summary>
    private async Task<IReadOnlyDictionary<string, long>> RunAsync(OperationRequest request)
    {
        var (lifetimes, options) = (Options.Create(Lifetimes), Options.Create(Collection));
        var operation = new CollectionOperation(Collector, Store, Cluster.Grains, lifetimes, options, Time);
        var status = new OperationStatus
        {
            Id = "1",
            Request = request,
            State = OperationState.Running,
            Progress = new OperationProgress { Counts = new Dictionary<string, long>(), Findings = [] },
            Created = Time.GetUtcNow(),
        };
        var run = new OperationRun(status, _ => Task.CompletedTask, Time);
        await operation.RunAsync(run, default);
        Assert.Empty(run.Progress.Findings);
        return run.Progress.Counts;
    }

    private IUploadSessionGrain NextSession() => Cluster.Grains.GetGrain<IUploadSessionGrain>($"upload-{++_uploads}");

    /// <summary>Pushes content as an object, as the gateway does.</summary>
    private async Task<LinkAnswer> PushAsync(string repository, string content, string bytes)
    {
        var (session, upload) = await SealAsync(bytes);
        var answer = await Cluster.Repository(repository).LinkBlob(Commands.DigestOf(content), upload.Content, upload.Deadline, default);
        if (answer == LinkAnswer.LinkedToOther)
        {
            await session.Orphan(default);
        }

        return answer;
    }

    private async Task<(IUploadSessionGrain Session, SealedUpload Upload)> SealAsync(string content)
    {
        var session = NextSession();
        var begun = await BeginAsync(session);
        var upload = await session.Seal(begun.Epoch, Commands.DigestOf(content), content.Length, default);
        await Blobs.SealAsync(begun.Object, upload!.Digest, "bytes".Length, default);
        return (session, upload);
    }

    private async Task<UploadBegun> BeginAsync(IUploadSessionGrain session)
    {
        var begun = Assert.IsType<UploadBegun>(await session.Begin(new BeginUpload(Time.GetUtcNow(), 0, DigestAlgorithm.Sha256), default));
        await using var writer = await Blobs.OpenWriterAsync(begun.Object, begun.Epoch, 0, default);
        await writer!.WriteAsync(Bytes("bytes"), default);
        await writer!.FlushAsync(default);
        return begun;
    }
}
