using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Interfaces.Uploads;
using Granary.Grains.Repositories;
using Granary.Grains.Tests.Cluster;
using Granary.Grains.Tests.Repositories.History;
using Granary.Protocol;
using Granary.Storage.Blobs;
using Granary.Testing;

namespace Granary.Grains.Tests.GarbageCollection;

/// <summary>What a sweep removes, and when, with real files.</summary>
public sealed class SweeperTests : CollectionTest
{
    private int _uploads;

    [Fact]
    public async Task An_unused_blob_is_removed_with_its_file_after_the_grace_period()
    {
        var (digest, id) = await PushAsync("app", "unused");

        await SweepAfterAsync(Lifetimes.LinkGrace - TimeSpan.FromMinutes(1));
        Assert.NotNull(await Cluster.Repository("app").FindBlobSize(digest, default));

        // The question has renewed the link, because a client may rely on the answer for a grace period.
        await SweepAfterAsync(Lifetimes.LinkGrace - TimeSpan.FromMinutes(1));
        Assert.True(await ExistsAsync(id, digest));
        await SweepAfterAsync(TimeSpan.FromMinutes(2));
        Assert.Null(await Cluster.Repository("app").FindBlobSize(digest, default));
        await ReleasedAsync(digest);
        Assert.True(await ExistsAsync(id, digest));

        await SweepAfterAsync(Lifetimes.BlobGrace + TimeSpan.FromMinutes(1));
        Assert.False(await ExistsAsync(id, digest));
        Assert.Empty(await KeysAsync(Shard(digest), "blob/"));
        Assert.Single(await KeysAsync("repository/app", "due/"), Logs.IsDueRow);
        Assert.Empty(await KeysAsync("repository/app", "sweep"));
    }

    [Fact]
    public async Task A_blob_that_is_pushed_while_only_the_log_is_due_does_not_wait_for_the_log()
    {
        await PushAsync("app", "first");
        await SweepAfterAsync(Lifetimes.LinkGrace + TimeSpan.FromMinutes(1));
        Assert.Equal(["log"], (await KeysAsync("repository/app", "due/")).Select(RepositoryRows.LastPart));

        var (second, _) = await PushAsync("app", "second");
        await SweepAfterAsync(Lifetimes.LinkGrace + TimeSpan.FromMinutes(1));
        Assert.Empty(await KeysAsync("repository/app", RepositoryRows.Link(second)));
    }

    [Fact]
    public async Task No_row_of_a_collected_blob_stays()
    {
        var (digest, _) = await PushAsync("app", "unused");
        for (var day = 0; day < 5; day++)
        {
            await SweepAfterAsync(TimeSpan.FromDays(1));
            await ReleasedAsync(digest);
        }

        // The lines about the repository and its floor stay for the retention, with one entry in a schedule.
        Assert.Empty(await KeysAsync(Shard(digest), ""));
        Assert.DoesNotContain(
            await KeysAsync("repository/app", ""),
            key => key.Split('/')[0] is not ("log" or "history" or "due" or "floor"));
        Assert.Single(await KeysAsync("repository/app", "due/"), Logs.IsDueRow);
        Assert.Single(await ScheduledAsync());

        await SweepAfterAsync(History.Retention);
        Assert.Empty(await KeysAsync("repository/app", ""));
        Assert.Empty(await ScheduledAsync());
    }

    [Fact]
    public async Task A_used_blob_stays_and_its_leases_become_longer()
    {
        var (digest, id) = await PushAsync("app", "used");
        await Cluster.Repository("app").PutManifest(Commands.Put("m", ["v1"], blobs: [digest]), default);

        var asked = 0L;
        for (var day = 0; day < 200; day++)
        {
            asked += (await SweepAfterAsync(TimeSpan.FromDays(1))).ReferencesAsked;
        }

        Assert.True(await ExistsAsync(id, digest));
        Assert.InRange(asked, 4, 8);
    }

    [Fact]
    public async Task A_small_blob_is_removed_like_a_large_one()
    {
        var digest = Commands.DigestOf("small");
        await GrainCluster.LinkAsync(Cluster.Repository("app"), Bytes("small"));

        await SweepAfterAsync(Lifetimes.LinkGrace + TimeSpan.FromMinutes(1));
        await ReleasedAsync(digest);
        await SweepAfterAsync(Lifetimes.BlobGrace + TimeSpan.FromMinutes(1));

        Assert.Null(await Cluster.Repository("app").FindBlob(digest, default));
        Assert.Empty(await KeysAsync(Shard(digest), ""));
    }

    [Fact]
    public async Task A_blob_is_removed_a_grace_period_after_its_manifest()
    {
        var (digest, id) = await PushAsync("app", "used");
        var manifest = Commands.Put("m", ["v1"], blobs: [digest]);
        await Cluster.Repository("app").PutManifest(manifest, default);
        await SweepAfterAsync(TimeSpan.FromDays(40));

        await Cluster.Repository("app").DeleteManifest(manifest.Digest, default);
        await SweepAfterAsync(Lifetimes.LinkGrace + TimeSpan.FromMinutes(1));
        await ReleasedAsync(digest);
        await SweepAfterAsync(Lifetimes.BlobGrace + TimeSpan.FromMinutes(1));

        Assert.False(await ExistsAsync(id, digest));
    }

    [Fact]
    public async Task A_blob_that_another_repository_uses_stays()
    {
        var (digest, id) = await PushAsync("one", "shared");
        await Cluster.Repository("two").MountBlob(digest, default);
        await Cluster.Repository("two").PutManifest(Commands.Put("m", ["v1"], blobs: [digest]), default);

        for (var day = 0; day < 5; day++)
        {
            await SweepAfterAsync(TimeSpan.FromDays(1));
        }

        Assert.Null(await Cluster.Repository("one").FindBlobSize(digest, default));
        Assert.True(await ExistsAsync(id, digest));
    }

    [Fact]
    public async Task A_blob_that_was_collected_can_be_pushed_again_as_another_object()
    {
        var (digest, first) = await PushAsync("app", "again");
        await SweepAfterAsync(Lifetimes.LinkGrace + TimeSpan.FromMinutes(1));
        await ReleasedAsync(digest);
        await SweepAfterAsync(Lifetimes.BlobGrace + TimeSpan.FromMinutes(1));

        var (_, second) = await PushAsync("app", "again");

        Assert.NotEqual(first, second);
        Assert.True(await ExistsAsync(second, digest));
        Assert.Equal(second, Assert.IsType<ObjectContent>(await Cluster.Repository("app").FindBlob(digest, default)).Object);
    }

    [Fact]
    public async Task A_reference_whose_link_was_never_committed_is_dropped()
    {
        var (digest, id, deadline, _) = await SealAsync("lost");
        var shard = Cluster.Grains.GetGrain<IBlobShardGrain>(digest.FirstByte);
        await shard.Acquire(new AcquireBlob(digest, new ObjectContent(id, 4), RepositoryName.Parse("app"), 1, deadline), default);

        var report = await SweepAfterAsync(Lifetimes.FirstLease + TimeSpan.FromMinutes(1));
        Assert.Equal(1, report.ReferencesDropped);
        await SweepAfterAsync(Lifetimes.BlobGrace + TimeSpan.FromMinutes(1));

        Assert.False(await ExistsAsync(id, digest));
    }

    [Fact]
    public async Task The_object_of_a_second_uploader_is_deleted_and_the_blob_stays()
    {
        var (digest, first) = await PushAsync("one", "same");
        await Cluster.Repository("one").PutManifest(Commands.Put("m", ["v1"], blobs: [digest]), default);
        var (_, second) = await PushAsync("two", "same");
        Assert.True(await ExistsAsync(second, digest));

        await SweepAfterAsync(Lifetimes.UploadExpiry + TimeSpan.FromHours(2));

        Assert.True(await ExistsAsync(first, digest));
        Assert.False(await ExistsAsync(second, digest));
        Assert.Equal(0, await VersionAsync("upload/upload-1"));
        Assert.Equal(0, await VersionAsync("upload/upload-2"));
    }

    [Fact]
    public async Task An_abandoned_upload_is_removed_when_it_expires()
    {
        var session = Cluster.Grains.GetGrain<IUploadSessionGrain>("slow");
        var begun = await BeginAsync(session);
        await using (var writer = await Blobs.OpenWriterAsync(begun.Object, begun.Epoch, 0, default))
        {
            await writer!.WriteAsync(new byte[10], default);
        }

        await SweepAfterAsync(Lifetimes.UploadExpiry - TimeSpan.FromHours(1));
        await session.Advance(begun.Epoch, 10, hash: null, endClaim: true, default);
        await SweepAfterAsync(TimeSpan.FromHours(2));
        Assert.IsType<UploadOpen>(await Cluster.Grains.GetGrain<IUploadStatusGrain>(0).Find("slow", default));

        await SweepAfterAsync(Lifetimes.UploadExpiry);
        Assert.Equal(0, await VersionAsync("upload/slow"));
        Assert.Null(await Blobs.OpenUnsealedAsync(begun.Object, 0, default));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public async Task Every_blob_of_a_manifest_has_its_bytes_while_pushes_deletions_sweeps_and_faults_happen_at_once(int seed)
    {
        var random = new Random(seed);
        var failures = new Random(seed + 1000);
        Store.OnCommit = _ =>
        {
            lock (failures)
            {
                return (CommitFault)Math.Max(0, failures.Next(30) - 27);
            }
        };
        using var stop = new CancellationTokenSource();
        var sweeps = Enumerable.Range(0, 2).Select(_ => KeepSweepingAsync(stop.Token)).ToArray();
        var clients = Enumerable.Range(0, 6).Select(number => ActAsync($"app{number % 2}", new Random(random.Next()))).ToArray();

        var stored = (await Task.WhenAll(clients)).Sum();
        await stop.CancelAsync();
        await Task.WhenAll(sweeps);
        Store.OnCommit = _ => CommitFault.None;
        Assert.True(stored > 50, $"Only {stored} manifests were stored: too few to show anything.");

        foreach (var name in new[] { "app0", "app1" })
        {
            foreach (var tag in (await GrainCluster.PersistAsync(() => Cluster.Repository(name).ListTags(null, 10_000, default)))!.Tags)
            {
                var found = await GrainCluster.PersistAsync(() => Cluster.Repository(name).FindTagged(tag, withBody: true, default));
                Assert.True(Manifest.TryParse(found!.Body!, found.MediaType, out var manifest, out _));
                await AssertReadableAsync(name, manifest.Config!.Digest);
            }
        }
    }

    /// <summary>A client that pushes, mounts and deletes in random order. Returns how many manifests it has stored.</summary>
    private async Task<int> ActAsync(string name, Random random)
    {
        var stored = 0;
        var repository = Cluster.Repository(name);
        for (var i = 0; i < 60; i++)
        {
            var content = $"content-{random.Next(6)}";
            var digest = Commands.DigestOf(content);
            var tag = $"tag{random.Next(8)}";
            switch (random.Next(5))
            {
                case 0:
                    var manifest = Commands.Put(content, [tag], blobs: [digest]).Digest;
                    await GrainCluster.PersistAsync(() => repository.DeleteManifest(manifest, default));
                    break;

                case 1:
                    await GrainCluster.PersistAsync(() => repository.DeleteBlob(digest, evenIfUsed: false, default));
                    break;

                default:
                    var linked = random.Next(2) == 0
                        ? await GrainCluster.PersistAsync(() => repository.MountBlob(digest, default))
                        : await TryPushAsync(name, content);
                    var put = Commands.Put(content, [tag], blobs: [digest]);
                    if (linked is LinkAnswer.Linked or LinkAnswer.LinkedToOther
                        && await GrainCluster.PersistAsync(() => repository.PutManifest(put, default)) is ManifestStored)
                    {
                        stored++;
                    }

                    // Sometimes a day passes: grace periods and leases end, sessions expire.
                    Time.Advance(TimeSpan.FromMinutes(random.Next(20) == 0 ? 1500 : 1));
                    break;
            }
        }

        return stored;
    }

    private async Task<LinkAnswer> TryPushAsync(string name, string content)
    {
        try
        {
            var (digest, id, deadline, session) = await GrainCluster.PersistAsync(() => SealAsync(content));
            var answer = await GrainCluster.PersistAsync(
                () => Cluster.Repository(name).LinkBlob(digest, new ObjectContent(id, content.Length), deadline, default));
            if (answer == LinkAnswer.LinkedToOther)
            {
                await GrainCluster.PersistAsync(() => OrphanAsync(session));
            }

            return answer;
        }
        catch (Exception e) when (e is InvalidOperationException or EpochFencedException)
        {
            // A fault or a sweep has ended the session. A client would start again.
            return LinkAnswer.Expired;
        }
    }

    private async Task AssertReadableAsync(string name, Digest digest)
    {
        var content = await GrainCluster.PersistAsync(() => Cluster.Repository(name).FindBlob(digest, default));
        await using var reader = await Blobs.OpenAsync(Assert.IsType<ObjectContent>(content).Object, digest, null, default);
        var bytes = new byte[reader!.Length];
        await reader.ReadAsync(0, bytes, default);
        Assert.Equal(digest, Digest.Compute(DigestAlgorithm.Sha256, bytes));
    }

    private async Task KeepSweepingAsync(CancellationToken stop)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (!stop.IsCancellationRequested)
        {
            Time.Advance(TimeSpan.FromMinutes(3));
            try
            {
                await Sweeper().SweepAsync(CancellationToken.None);
            }
            catch (Exception e) when (e is not Xunit.Sdk.XunitException)
            {
                // A commit failed. The next sweep continues.
            }

            await timer.WaitForNextTickAsync(CancellationToken.None);
        }
    }

    /// <summary>Pushes a blob as the gateway does: session, object, seal, link.</summary>
    private async Task<(Digest Digest, ObjectId Object)> PushAsync(string repository, string content)
    {
        var (digest, id, deadline, _) = await SealAsync(content);
        var answer = await Cluster.Repository(repository).LinkBlob(digest, new ObjectContent(id, content.Length), deadline, default);
        var counts = Assert.IsType<ObjectContent>(await Cluster.Repository(repository).FindBlob(digest, default)).Object;
        Assert.Equal(counts == id ? LinkAnswer.Linked : LinkAnswer.LinkedToOther, answer);
        return (digest, id);
    }

    private static async Task<bool> OrphanAsync(IUploadSessionGrain session)
    {
        await session.Orphan(default);
        return true;
    }

    private async Task<(Digest Digest, ObjectId Object, DateTimeOffset Deadline, IUploadSessionGrain Session)> SealAsync(string content)
    {
        var session = Cluster.Grains.GetGrain<IUploadSessionGrain>($"upload-{Interlocked.Increment(ref _uploads)}");
        var begun = await BeginAsync(session);
        await using (var writer = await Blobs.OpenWriterAsync(begun.Object, begun.Epoch, 0, default)
            ?? throw new InvalidOperationException("The session's object is gone."))
        {
            await writer.WriteAsync(Bytes(content), default);
            await writer.FlushAsync(default);
        }

        var digest = Commands.DigestOf(content);
        var upload = await session.Seal(begun.Epoch, digest, content.Length, default)
            ?? throw new InvalidOperationException("Another request has taken the session over.");
        await Blobs.SealAsync(begun.Object, digest, content.Length, default);
        return (digest, begun.Object, upload.Deadline, session);
    }

    private async Task<UploadBegun> BeginAsync(IUploadSessionGrain session) =>
        await session.Begin(new BeginUpload(Time.GetUtcNow(), 0, DigestAlgorithm.Sha256), default) as UploadBegun
        ?? throw new InvalidOperationException("Another request has the claim on the session.");

    private async Task<bool> ExistsAsync(ObjectId id, Digest digest)
    {
        await using var reader = await Blobs.OpenAsync(id, digest, null, default);
        return reader is not null;
    }

    /// <summary>Waits until the repository has released the references of unlinked blobs, which happens after its answer.</summary>
    private Task ReleasedAsync(Digest digest) => UntilAsync(async () =>
        (await KeysAsync("repository/app", "out/")).Count == 0
        && (await KeysAsync("repository/app", "link/" + digest.Value)).Count == (await KeysAsync(Shard(digest), "ref/")).Count);

    private async Task<List<string>> ScheduledAsync()
    {
        var entries = new List<string>();
        foreach (var schedule in ScheduleKeys.Uploads.Concat(ScheduleKeys.Repositories))
        {
            entries.AddRange(await KeysAsync("schedule/" + schedule, ""));
        }

        return entries;
    }

    private static string Shard(Digest digest) => $"blobs/{digest.FirstByte:x2}";
}
