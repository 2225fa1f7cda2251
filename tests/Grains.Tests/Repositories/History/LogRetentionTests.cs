using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Repositories.Maintenance;
using Granary.Grains.Tests.Cluster;
using Granary.Protocol;

namespace Granary.Grains.Tests.Repositories.History;

/// <summary>Which lines a collection removes, and when.</summary>
public sealed class LogRetentionTests : HistoryTest
{
    [Fact]
    public async Task The_sweep_removes_lines_that_are_older_than_the_retention_and_no_others()
    {
        await PushAsync("one", "v1");
        await SweepAfterAsync(TimeSpan.FromDays(2));
        await SweepAfterAsync(TimeSpan.FromDays(98));
        await PushAsync("two", "v1");

        await SweepAfterAsync(TimeSpan.FromDays(79));
        Assert.Equal(["one", "two"], await ContentsAsync());
        await SweepAfterAsync(TimeSpan.FromDays(2));
        Assert.Equal(["two"], await ContentsAsync());
        await SweepAfterAsync(TimeSpan.FromDays(98));
        Assert.Equal(["two"], await ContentsAsync());
        await SweepAfterAsync(TimeSpan.FromDays(2));
        Assert.Empty(await Logs.ReadAsync(Rows));
    }

    [Fact]
    public async Task The_entry_in_the_schedule_ends_with_the_last_line_and_the_next_line_makes_another()
    {
        await PushAsync("one", "v1");
        await SweepAfterAsync(TimeSpan.FromDays(2));
        Assert.Single(await ScheduledAsync());
        Assert.Equal(["history"], await KeysAsync(Partition, "history"));

        await SweepAfterAsync(TimeSpan.FromDays(179));
        Assert.Empty(await ScheduledAsync());
        foreach (var prefix in (string[])["history", "due/", "sweep", "log/", "gone/"])
        {
            Assert.Empty(await KeysAsync(Partition, prefix));
        }

        await PushAsync("two", "v1");
        Assert.Single(await ScheduledAsync());
        await SweepAfterAsync(TimeSpan.FromDays(2));
        await SweepAfterAsync(TimeSpan.FromDays(179));
        Assert.Empty(await Logs.ReadAsync(Rows));
        Assert.Empty(await ScheduledAsync());
    }

    [Fact]
    public async Task The_sweep_finds_a_blob_in_time_while_only_the_log_was_due()
    {
        var one = await PushAsync("one", "v1");
        await PushAsync("two", "v1");
        await GrainCluster.LinkAsync(Repository, Bytes("other"));
        var other = await PutAsync(Commands.Put("other", [], blobs: [Commands.DigestOf("other")]));
        await SweepAfterAsync(TimeSpan.FromDays(2));
        await SweepAfterAsync(TimeSpan.FromDays(2));

        await Repository.DeleteManifest(other, default);
        Assert.Equal(0, (await SweepAfterAsync(Lifetimes.LinkGrace - TimeSpan.FromMinutes(1))).BlobsUnlinked);
        Assert.Equal(1, (await SweepAfterAsync(TimeSpan.FromMinutes(2))).BlobsUnlinked);
        Assert.NotNull(await Repository.FindManifest(one, withBody: false, default));
    }

    [Fact]
    public async Task A_collection_with_a_grace_period_of_its_own_removes_them_too()
    {
        await PushAsync("one", "v1");
        Time.Advance(TimeSpan.FromDays(100));
        await PushAsync("two", "v1");
        Time.Advance(TimeSpan.FromDays(81));

        await CollectAsync(TimeSpan.FromHours(1));

        Assert.Equal(["two"], await ContentsAsync());
    }

    [Fact]
    public async Task A_collection_with_a_grace_period_of_its_own_activates_no_repository_that_has_only_lines_that_stay()
    {
        await PushAsync("one", "v1");
        await PutInAsync("left", "one");
        while (await Cluster.Maintenance("left").Clear(10, default) > 0)
        {
        }

        // What is due of the deletion is gone.
        await SweepAfterAsync(TimeSpan.FromDays(2));
        await SweepAfterAsync(TimeSpan.FromDays(2));
        Assert.Equal<IEnumerable<bool>>([false, false], await AreCollectableAsync());

        Time.Advance(TimeSpan.FromDays(180));
        Assert.Equal<IEnumerable<bool>>([true, true], await AreCollectableAsync());
    }

    [Fact]
    public async Task The_last_line_of_a_removed_tag_goes_with_its_row()
    {
        await PushAsync("one", "v1", "v2");
        await Repository.Untag(V1, default);
        Time.Advance(TimeSpan.FromDays(100));
        await Repository.Untag(Tag.Parse("v2"), default);
        Assert.Equal(["gone/v1", "gone/v2"], await KeysAsync(Partition, "gone/"));

        await SweepAfterAsync(TimeSpan.FromDays(81));

        Assert.Equal(["gone/v2"], await KeysAsync(Partition, "gone/"));
        Assert.Null(await Repository.ReadTagHistory(V1, from: null, limit: 10, default));
        Assert.Single((await HistoryAsync(Tag.Parse("v2"))).Entries);
    }

    [Fact]
    public async Task A_shorter_retention_holds_from_the_next_change_on()
    {
        await PushAsync("one", "v1");
        await SweepAfterAsync(TimeSpan.FromDays(2));
        History.Retention = TimeSpan.FromDays(30);
        Time.Advance(TimeSpan.FromDays(18));
        await PushAsync("two", "v1");

        // The change makes the log due a retention after it, and then the sweep knows when each line is due.
        await SweepAfterAsync(TimeSpan.FromDays(2));
        await SweepAfterAsync(TimeSpan.FromDays(27));
        Assert.Equal(["one", "two"], await ContentsAsync());
        await SweepAfterAsync(TimeSpan.FromDays(2));
        Assert.Empty(await Logs.ReadAsync(Rows));
    }

    [Fact]
    public async Task A_collection_with_a_grace_period_of_its_own_uses_a_shorter_retention_at_once()
    {
        await PushAsync("one", "v1");
        await SweepAfterAsync(TimeSpan.FromDays(20));
        await PushAsync("two", "v1");
        History.Retention = TimeSpan.FromDays(10);

        await CollectAsync(TimeSpan.FromHours(1));

        Assert.Equal(["two"], await ContentsAsync());
    }

    [Fact]
    public async Task A_line_whose_clock_was_ahead_does_not_keep_the_lines_after_it()
    {
        await PushAsync("one", "v1");
        await SweepAfterAsync(TimeSpan.FromDays(2));
        Time.Advance(TimeSpan.FromDays(1000));
        await PushAsync("ahead", "v1");
        Time.Advance(TimeSpan.FromDays(-1000));
        await PushAsync("two", "v1");
        await SweepAfterAsync(TimeSpan.FromDays(98));
        await PushAsync("three", "v1");

        await SweepAfterAsync(TimeSpan.FromDays(79));
        Assert.Equal(["one", "ahead", "two", "three"], await ContentsAsync());
        await SweepAfterAsync(TimeSpan.FromDays(4));
        Assert.Equal(["three"], await ContentsAsync());
        await SweepAfterAsync(TimeSpan.FromDays(98));
        Assert.Empty(await Logs.ReadAsync(Rows));
    }

    [Fact]
    public async Task Hundreds_of_lines_whose_clock_was_ahead_do_not_keep_the_lines_after_them()
    {
        await PushAsync("one", "v1");
        await SweepAfterAsync(TimeSpan.FromDays(2));
        Time.Advance(TimeSpan.FromDays(1000));
        for (var i = 0; i < 300; i++)
        {
            await PushAsync(i % 2 == 0 ? "ahead" : "one", "v1");
        }

        Time.Advance(TimeSpan.FromDays(-1000));
        await PushAsync("two", "v1");
        await SweepAfterAsync(TimeSpan.FromDays(181));

        Assert.Empty(await Logs.ReadAsync(Rows));
    }

    [Fact]
    public async Task A_line_whose_clock_was_far_behind_does_not_take_the_lines_before_it_away()
    {
        await PushAsync("one", "v1");
        Time.Advance(TimeSpan.FromDays(-5000));
        await PushAsync("behind", "v1");
        Time.Advance(TimeSpan.FromDays(5000));
        await PushAsync("two", "v1");

        await SweepAfterAsync(TimeSpan.FromDays(2));
        await SweepAfterAsync(TimeSpan.FromDays(177));
        Assert.Equal(["one", "behind", "two"], await ContentsAsync());
        await SweepAfterAsync(TimeSpan.FromDays(2));
        Assert.Empty(await Logs.ReadAsync(Rows));
    }

    [Fact]
    public async Task A_thousand_lines_are_removed_in_several_commits()
    {
        string[] tags = [.. Enumerable.Range(0, 100).Select(i => $"v{i}")];
        for (var i = 0; i < 10; i++)
        {
            await PushAsync($"{i}", tags);
        }

        Assert.Equal(1001, (await Logs.ReadAsync(Rows)).Count);
        await SweepAfterAsync(TimeSpan.FromDays(2));
        var before = await VersionAsync(Partition);

        await SweepAfterAsync(TimeSpan.FromDays(180));

        Assert.Empty(await Logs.ReadAsync(Rows));
        Assert.InRange(await VersionAsync(Partition), before + 4, before + 10);
        Assert.Empty(await ScheduledAsync());
    }

    /// <summary>Returns which images the lines about tags tell of.</summary>
    private async Task<string[]> ContentsAsync()
    {
        string[] contents = ["one", "two", "three", "ahead", "behind"];
        return [.. (await LinesAsync()).Select(line => Array.Find(contents, content => Image(content).Digest == line.Digest)!)];
    }

    private async Task PutInAsync(string repository, string content)
    {
        await GrainCluster.LinkAsync(Cluster.Repository(repository), Bytes("config"));
        Assert.IsType<ManifestStored>(await Cluster.Repository(repository).PutManifest(Image(content, "v1"), default));
    }

    private Task CollectAsync(TimeSpan grace) =>
        Collector.CollectAllRepositoriesAsync([.. ScheduleKeys.Repositories], grace, new CollectionCounts(), default);

    private Task<bool[]> AreCollectableAsync() =>
        new RepositoryProbe(Store, History, Time).AreCollectableAsync([RepositoryName.Parse("app"), RepositoryName.Parse("left")], default);

    private async Task<List<string>> ScheduledAsync()
    {
        var entries = new List<string>();
        foreach (var schedule in ScheduleKeys.Repositories)
        {
            entries.AddRange(await KeysAsync("schedule/" + schedule, ""));
        }

        return entries;
    }
}
