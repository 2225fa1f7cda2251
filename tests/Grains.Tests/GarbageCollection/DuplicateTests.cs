using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Interfaces.Uploads;
using Granary.Grains.Partitions;
using Granary.Grains.Tests.Cluster;
using Granary.Grains.Uploads;
using Granary.Protocol;
using Granary.Storage.Blobs;
using Granary.Storage.Partitions;
using Granary.Testing;

namespace Granary.Grains.Tests.GarbageCollection;

/// <summary>
/// Content that the registry has already: only Renounce deletes the second object, soon after the push (rule <c>own</c>).
/// </summary>
public sealed class DuplicateTests : CollectionTest
{
    private const string Content = "same";

    private static readonly Digest Blob = Commands.DigestOf(Content);

    [Fact]
    public async Task The_next_sweep_deletes_the_object_of_a_second_uploader_and_its_session_stays_until_its_id_is_too_old()
    {
        var first = await PushAsync("one", "first");
        var second = await PushAsync("two", "second");
        Assert.Equal(LinkAnswer.LinkedToOther, second.Answer);

        await Session("second").Orphan(default);
        var counts = await SweepAfterAsync(TimeSpan.Zero);

        Assert.Equal(1, counts.ObjectsDeleted);
        Assert.True(await ExistsAsync(first.Object));
        Assert.False(await ExistsAsync(second.Object));
        Assert.IsType<SealedUpload>(await StatusAsync("second"));
        Assert.Equal(second.Upload, await Session("second").Seal(1, Blob, Content.Length, default));
        Assert.IsType<UploadOver>(await Session("second").Begin(new BeginUpload(Time.GetUtcNow(), 0, DigestAlgorithm.Sha256), default));
        Assert.Equal(0, (await SweepAfterAsync(Lifetimes.UploadExpiry - TimeSpan.FromMinutes(1))).ObjectsDeleted);
        Assert.IsType<SealedUpload>(await StatusAsync("second"));

        await SweepAfterAsync(TimeSpan.FromHours(2));
        Assert.IsType<UploadUnstored>(await StatusAsync("second"));
        Assert.Equal(0, await VersionAsync("upload/second"));
        Assert.True(await ExistsAsync(first.Object));
        Assert.Empty(await ScheduledAsync());
    }

    [Fact]
    public async Task An_object_that_became_the_blob_after_all_stays_although_its_session_is_marked()
    {
        await PushAsync("one", "first");
        var second = await PushAsync("two", "second");
        await Session("second").Orphan(default);

        // The first blob is collected. Then a delayed copy of the second uploader's call arrives.
        foreach (var name in (string[])["one", "two"])
        {
            await Cluster.Repository(name).DeleteBlob(Blob, evenIfUsed: false, default);
            await Cluster.Maintenance(name).Exists(default);
        }

        await Collector.CollectShardsAsync([Blob.FirstByte], TimeSpan.Zero, new CollectionCounts(), default);
        Assert.Equal(LinkAnswer.Linked, await LinkAsync("two", second.Upload));

        await SweepAfterAsync(TimeSpan.Zero);

        Assert.True(await ExistsAsync(second.Object));
        Assert.Equal(second.Upload.Content, await Cluster.Repository("two").FindBlob(Blob, default));
        Assert.Equal(SessionState.Renounced, (await RowAsync("second")).State);
    }

    [Fact]
    public async Task An_object_that_was_renounced_early_never_becomes_a_blob()
    {
        await PushAsync("one", "first");
        var second = await PushAsync("two", "second");
        await Session("second").Orphan(default);
        await SweepAfterAsync(TimeSpan.Zero);

        await Cluster.Repository("two").DeleteBlob(Blob, evenIfUsed: false, default);
        Assert.Equal(LinkAnswer.Expired, await LinkAsync("two", second.Upload));
    }

    [Fact]
    public async Task A_session_whose_object_is_the_blob_keeps_it_although_it_is_marked()
    {
        var pushed = await PushAsync("one", "first");
        Assert.Equal(LinkAnswer.Linked, pushed.Answer);

        await Session("first").Orphan(default);
        Assert.Equal(0, (await SweepAfterAsync(TimeSpan.Zero)).ObjectsDeleted);

        Assert.True(await ExistsAsync(pushed.Object));
    }

    /// <summary>Any commit may fail, before or after it took effect. The next sweep deletes the duplicate, and the blob stays.</summary>
    [Theory]
    [InlineData("upload/", CommitFault.Before)]
    [InlineData("upload/", CommitFault.After)]
    [InlineData("schedule/uploads", CommitFault.Before)]
    [InlineData("schedule/uploads", CommitFault.After)]
    [InlineData("blobs/", CommitFault.Before)]
    [InlineData("blobs/", CommitFault.After)]
    public async Task A_commit_that_fails_only_delays_the_deletion_of_the_duplicate(string partition, CommitFault fault)
    {
        var first = await PushAsync("one", "first");
        var second = await PushAsync("two", "second");
        Store.OnCommit = key => key.Value.StartsWith(partition, StringComparison.Ordinal) ? fault : CommitFault.None;
        await TryAsync(() => Session("second").Orphan(default));
        await TryAsync(() => SweepAfterAsync(TimeSpan.Zero));
        Assert.True(await ExistsAsync(first.Object));

        Store.OnCommit = _ => CommitFault.None;
        await GrainCluster.PersistAsync(async () =>
        {
            await Session("second").Orphan(default);
            return true;
        });
        await SweepAfterAsync(TimeSpan.Zero);

        Assert.True(await ExistsAsync(first.Object));
        Assert.False(await ExistsAsync(second.Object));
        await SweepAfterAsync(Lifetimes.UploadExpiry + TimeSpan.FromHours(2));
        await SweepAfterAsync(Lifetimes.UploadExpiry + TimeSpan.FromHours(2));
        Assert.Empty(await ScheduledAsync());
    }

    [Fact]
    public async Task A_session_row_of_an_earlier_release_can_be_read()
    {
        var (id, issued) = (ObjectId.FromRandom(new byte[16]), Time.GetUtcNow());

        // As release 0.1 wrote it: version 1, with the states of that release.
        var row = new RowWriter(1, 256).Number(1).Text(id.Value).Number(3).Flag(false).Number(4).Number(0)
            .Time(issued).Time(issued).Text(Blob.Value).Time(issued + TimeSpan.FromHours(1)).ToValue();
        var partition = UploadRows.Partition("old");
        await Rows.CommitAsync(partition, await Rows.OpenAsync(partition, default), [new Mutation(UploadRows.Session, row)], default);

        Assert.Equal(new SealedUpload(Blob, new ObjectContent(id, 4), issued + TimeSpan.FromHours(1)), await StatusAsync("old"));
        await Session("old").Orphan(default);
        Assert.IsType<ExpireSealed>(await Session("old").Expire(default));
    }

    private static async Task TryAsync(Func<Task> code)
    {
        try
        {
            await code();
        }
        catch (Exception e) when (e is Granary.Grains.Interfaces.PartitionUnavailableException or AggregateException)
        {
            // The test has caused this fault.
        }
    }

    private IUploadSessionGrain Session(string id) => Cluster.Grains.GetGrain<IUploadSessionGrain>(id);

    private Task<UploadStatus> StatusAsync(string id) => Cluster.Grains.GetGrain<IUploadStatusGrain>(0).Find(id, default);

    private async Task<SessionRow> RowAsync(string id) =>
        SessionRow.Decode((await Rows.GetAsync(UploadRows.Partition(id), [UploadRows.Session], default))[0]!.Value);

    private async Task<bool> ExistsAsync(ObjectId id)
    {
        await using var reader = await Blobs.OpenAsync(id, Blob, null, default);
        return reader is not null;
    }

    private async Task<List<string>> ScheduledAsync()
    {
        var keys = new List<string>();
        foreach (var schedule in ScheduleKeys.Uploads)
        {
            keys.AddRange(await KeysAsync("schedule/" + schedule, "due/"));
        }

        return keys;
    }

    /// <summary>Pushes the content to a repository as the gateway does, up to the repository's answer.</summary>
    private async Task<(ObjectId Object, SealedUpload Upload, LinkAnswer Answer)> PushAsync(string repository, string id)
    {
        var begin = new BeginUpload(Time.GetUtcNow(), 0, DigestAlgorithm.Sha256);
        var begun = Assert.IsType<UploadBegun>(await Session(id).Begin(begin, default));
        await using (var writer = await Blobs.OpenWriterAsync(begun.Object, begun.Epoch, 0, default))
        {
            await writer!.WriteAsync(Bytes(Content), default);
            await writer!.FlushAsync(default);
        }

        var upload = await Session(id).Seal(begun.Epoch, Blob, Content.Length, default);
        await Blobs.SealAsync(begun.Object, Blob, Content.Length, default);
        return (begun.Object, upload!, await LinkAsync(repository, upload!));
    }

    private Task<LinkAnswer> LinkAsync(string repository, SealedUpload upload) =>
        Cluster.Repository(repository).LinkBlob(Blob, upload.Content, upload.Deadline, default);
}
