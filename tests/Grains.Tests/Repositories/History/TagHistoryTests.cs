using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;

namespace Granary.Grains.Tests.Repositories.History;

/// <summary>The history of a tag, page by page.</summary>
public sealed class TagHistoryTests : HistoryTest
{
    private int _moves;

    [Fact]
    public async Task Pages_return_each_move_once_and_the_newest_first()
    {
        await MoveAsync(120);

        var (lines, sizes) = await ReadPagesAsync();

        Assert.Equal([50, 50, 20], sizes);
        Assert.Equal((await Logs.ReadAsync(Rows, V1)).AsEnumerable().Reverse(), lines);
        Logs.AssertChained([.. lines.AsEnumerable().Reverse()]);
    }

    [Fact]
    public async Task A_history_whose_oldest_lines_were_removed_says_so()
    {
        await MoveAsync(3);
        Assert.False((await HistoryAsync(V1)).IsCut);
        Time.Advance(TimeSpan.FromDays(100));
        await MoveAsync(2);
        await SweepAfterAsync(TimeSpan.FromDays(81));

        var history = await HistoryAsync(V1);
        Assert.Equal((2, true, null), (history.Entries.Length, history.IsCut, history.Next));

        await SweepAfterAsync(TimeSpan.FromDays(100));
        history = await HistoryAsync(V1);
        Assert.Equal((0, true, null), (history.Entries.Length, history.IsCut, history.Next));
        Assert.Equal(await TaggedAsync(V1), history.Current);
    }

    [Fact]
    public async Task A_tag_that_never_existed_has_no_history()
    {
        await PushAsync("one", "v1");

        Assert.Null(await Repository.ReadTagHistory(Tag.Parse("v2"), from: null, limit: 10, default));
        Assert.Null(await Cluster.Repository("other").ReadTagHistory(V1, from: null, limit: 10, default));
    }

    [Fact]
    public async Task There_is_no_page_that_begins_at_a_line_about_another_tag()
    {
        await PushAsync("one", "v1");
        await PushAsync("one", "v2");
        var other = Assert.Single(await Logs.ReadAsync(Rows, Tag.Parse("v2")));

        foreach (var from in (LogPosition[])[other.Position, new LogPosition(1_000_000, 0), default])
        {
            Assert.Null(await Repository.ReadTagHistory(V1, from, limit: 10, default));
        }
    }

    [Fact]
    public async Task An_entry_says_whether_its_manifest_is_there_and_until_when()
    {
        var deleted = await PushAsync("deleted", "v1");
        await PushAsync("overwritten", "v1");
        await PushAsync("kept by another tag", "v1", "v2");
        Time.Advance(TimeSpan.FromDays(30));
        await PushAsync("newest", "v1");
        await Repository.DeleteManifest(deleted, default);

        Assert.All((await HistoryAsync(V1)).Entries, entry => Assert.Null(entry.KeptUntil));

        Collection.Untagged = true;
        var entries = (await HistoryAsync(V1)).Entries;
        Assert.Equal([true, true, true, false], entries.Select(entry => entry.IsHere));
        Assert.Equal([null, null, entries[1].Line.Time + Collection.UntaggedAge, null], entries.Select(entry => entry.KeptUntil));

        // The entry's manifest goes then and not before.
        Assert.Equal(0, await CollectAsync(entries[2].KeptUntil!.Value));
        Assert.Equal(1, await CollectAsync(entries[2].KeptUntil!.Value + TimeSpan.FromTicks(1)));
        Assert.False((await HistoryAsync(V1)).Entries[2].IsHere);
    }

    [Fact]
    public async Task The_history_of_a_tag_in_a_deleted_repository_can_still_be_read()
    {
        await MoveAsync(3);
        while (await Cluster.Maintenance("app").Clear(10, default) > 0)
        {
        }

        Assert.Null(await Repository.ListTags(null, 10, default));
        var history = await HistoryAsync(V1);
        Assert.Equal((4, ChangeKind.Deleted, null), (history.Entries.Length, history.Entries[0].Line.Kind, history.Current));
        Assert.All(history.Entries, entry => Assert.False(entry.IsHere));

        await SweepAfterAsync(TimeSpan.FromDays(2));
        Assert.Equal(4, (await HistoryAsync(V1)).Entries.Length);
        await SweepAfterAsync(History.Retention);
        Assert.Null(await Repository.ReadTagHistory(V1, from: null, limit: 10, default));
    }

    private async Task MoveAsync(int moves)
    {
        for (var i = 0; i < moves; i++)
        {
            await PushAsync(_moves++ % 2 == 0 ? "even" : "odd", "v1");
        }
    }

    private async Task<(List<LogLine> Lines, List<int> Sizes)> ReadPagesAsync()
    {
        var (lines, sizes, next) = (new List<LogLine>(), new List<int>(), default(LogPosition?));
        do
        {
            var page = await Repository.ReadTagHistory(V1, next, limit: 50, default);
            lines.AddRange(page!.Entries.Select(entry => entry.Line));
            sizes.Add(page.Entries.Length);
            Assert.False(page.IsCut);
            next = page.Next;
        }
        while (next is not null);

        return (lines, sizes);
    }

    /// <summary>Collects untagged manifests as the daily collection does at a time. Returns how many it removed.</summary>
    private async Task<int> CollectAsync(DateTimeOffset at)
    {
        var command = new CollectUntagged(at - Collection.UntaggedAge, Limit: 100);
        return (await Cluster.Maintenance("app").CollectUntagged(command, default)).Removed;
    }
}
