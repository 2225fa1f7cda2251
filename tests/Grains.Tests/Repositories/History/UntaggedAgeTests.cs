using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;

namespace Granary.Grains.Tests.Repositories.History;

/// <summary>The age of an untagged manifest counts from the loss of its last tag.</summary>
public sealed class UntaggedAgeTests : HistoryTest
{
    private static readonly TimeSpan Week = TimeSpan.FromDays(7);

    private static readonly TimeSpan Month = TimeSpan.FromDays(30);

    private static readonly TimeSpan Minute = TimeSpan.FromMinutes(1);

    [Theory]
    [InlineData("push")]
    [InlineData("untag")]
    [InlineData("undo")]
    public async Task A_manifest_that_was_pushed_a_month_ago_and_lost_its_tag_a_minute_ago_stays_for_a_week(string way)
    {
        var zero = await PushAsync("zero", "v1");
        var one = await PushAsync("one", "v1", "v2");
        await PushAsync("zero", "kept");
        Time.Advance(Month);
        await Repository.Untag(Tag.Parse("v2"), default);
        Time.Advance(Week);
        switch (way)
        {
            case "push":
                await PushAsync("two", "v1");
                break;

            case "untag":
                await Repository.Untag(V1, default);
                break;

            default:
                var undo = new UndoTag { Tag = V1, Digest = zero, Origin = Commands.Origin(ChangeCause.Undo) };
                Assert.IsType<TagUndone>(await Repository.UndoTag(undo, default));
                break;
        }

        Time.Advance(Minute);
        Assert.Equal((0, 0), await CollectAsync());

        Time.Advance(Week - (2 * Minute));
        Assert.Equal((0, 0), await CollectAsync());
        Assert.True(await ExistsAsync(one));

        Time.Advance(2 * Minute);
        Assert.Equal((1, 1), await CollectAsync());
        Assert.False(await ExistsAsync(one));
    }

    [Fact]
    public async Task A_manifest_that_never_had_a_tag_goes_a_week_after_its_push()
    {
        await PushAsync("one");
        Time.Advance(Week - Minute);
        Assert.Equal((0, 0), await CollectAsync());

        Time.Advance(2 * Minute);
        Assert.Equal((1, 1), await CollectAsync());
    }

    [Fact]
    public async Task A_manifest_that_is_pushed_again_after_its_deletion_has_no_age_of_before()
    {
        var one = await PushAsync("one", "v1");
        Time.Advance(Month);
        await Repository.DeleteManifest(one, default);
        await PushAsync("one");

        Assert.Equal([$"man/{one}"], await KeysAsync(Partition, "man/"));
        Assert.Empty(await KeysAsync(Partition, "tagged/"));
        Time.Advance(Week - Minute);
        Assert.Equal((0, 0), await CollectAsync());
        Time.Advance(2 * Minute);
        Assert.Equal((1, 1), await CollectAsync());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_manifest_whose_tag_comes_and_goes_between_the_walk_and_its_decision_stays(bool goes)
    {
        var one = await PushAsync("one");
        await PushAsync("two", "v2");
        await SweepAfterAsync(Month);

        // The decision waits for an entry in the schedule.
        var (reached, go) = (new TaskCompletionSource(), new TaskCompletionSource());
        Store.BeforeCommit = partition =>
        {
            if (!partition.Value.StartsWith("schedule/", StringComparison.Ordinal))
            {
                return Task.CompletedTask;
            }

            reached.TrySetResult();
            return go.Task;
        };
        var collecting = Cluster.Maintenance("app").CollectUntagged(new CollectUntagged(Time.GetUtcNow() - Week, Limit: 100), default);
        await reached.Task;
        await PutAsync(Image("one", "v1"));
        if (goes)
        {
            await PutAsync(Image("two", "v1"));
        }

        go.SetResult();

        Assert.Equal(0, (await collecting).Removed);
        Assert.True(await ExistsAsync(one));
        Assert.Equal((0, 0), await CollectAsync());
        Time.Advance(Week + Minute);
        Assert.Equal(goes ? (1, 1) : (0, 0), await CollectAsync());
    }

    /// <summary>Collects untagged manifests. Returns how many a dry run counts, and how many the collection removes.</summary>
    private async Task<(long Told, long Removed)> CollectAsync()
    {
        var before = Time.GetUtcNow() - Week;
        var told = await ForecastAsync(grace: null, before);
        var counts = new CollectionCounts();
        await Collector.CollectUntaggedAsync(RepositoryName.Parse("app"), before, counts, default);
        return (told.Counts.ManifestsRemoved, counts.ManifestsRemoved);
    }

    private async Task<bool> ExistsAsync(Digest manifest) => await Repository.FindManifest(manifest, withBody: false, default) is not null;
}
