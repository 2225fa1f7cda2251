using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories;
using Granary.Grains.Repositories.History;
using Granary.Grains.Tests.Cluster;
using Granary.Protocol;
using Granary.Storage.Partitions;

namespace Granary.Grains.Tests.Repositories.History;

/// <summary>The order of lines, and their times, whatever commands share a commit and whatever the clock does.</summary>
public sealed class LogOrderTests : HistoryTest
{
    [Fact]
    public async Task Two_pushes_of_one_tag_that_share_a_commit_write_two_lines_in_the_order_of_the_winner()
    {
        await PushAsync("zero", "v1");

        var pushed = await PushInOneCommitAsync(between: TimeSpan.Zero);

        Assert.Equal(2, pushed.Distinct().Count());
        Assert.Equal(pushed[1], await TaggedAsync(V1));
        Assert.Equal(pushed[1], await StoredAsync());
        var lines = await Logs.ReadAsync(Rows, V1);
        Assert.Equal([0, 1], lines[^2..].Select(line => line.Position.Number));
        Assert.Equal(pushed[0], lines[^1].Previous);
        Logs.AssertChained(lines);
    }

    [Fact]
    public async Task A_decision_that_runs_again_keeps_the_numbers_of_its_lines()
    {
        await PushAsync("zero", "v1");
        await PushAsync("other", "v2");

        // A new partition has no row in memory, and the decisions do not say which ones they need: each runs several times.
        var partition = new Partition(Store, new PartitionKey(Partition), _ => { });
        await partition.OpenAsync(default);
        var gate = HoldCommits();
        var first = partition.DecideAsync([], batch => Put(batch, "first"), default);
        var (runs, others) = (0, new List<Task<bool>>());
        foreach (var content in (string[])["one", "two"])
        {
            others.Add(partition.DecideAsync([], batch => ++runs > 0 && Put(batch, content, "v1", "v2"), default));
        }

        gate.SetResult();
        await first;
        await Task.WhenAll(others);

        Assert.True(runs > 2);
        var lines = (await LinesAsync())[^4..];
        Assert.Equal([0, 1, 2, 3], lines.Select(line => line.Position.Number));
        Assert.Single(lines.Select(line => line.Position.Version).Distinct());
        Logs.AssertChained(await Logs.ReadAsync(Rows, V1));
        Logs.AssertChained(await Logs.ReadAsync(Rows, Tag.Parse("v2")));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Times_stand_still_while_the_clock_is_up_to_an_hour_behind(bool restart)
    {
        await PushAsync("one", "v1");
        Time.Advance(TimeSpan.FromMinutes(-50));
        await PushAgainAsync(restart, "two");
        Time.Advance(TimeSpan.FromHours(1));
        await PushAgainAsync(restart, "three");

        var lines = await Logs.ReadAsync(Rows, V1);
        Assert.Equal([Image("one").Digest, Image("two").Digest, Image("three").Digest], lines.Select(line => line.Digest));
        Assert.Equal(lines[0].Time, lines[1].Time);
        Assert.True(lines[2].Time > lines[1].Time);
        Logs.AssertChained(lines);
        Assert.Equal(await StoredAsync(), lines[^1].Digest);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_clock_that_is_more_than_an_hour_behind_begins_a_new_run_of_times_and_the_order_stays(bool restart)
    {
        await PushAsync("one", "v1");
        Time.Advance(TimeSpan.FromHours(-3));
        await PushAgainAsync(restart, "two");
        await PushAgainAsync(restart, "three");

        var lines = await Logs.ReadAsync(Rows, V1);
        Assert.Equal([Image("one").Digest, Image("two").Digest, Image("three").Digest], lines.Select(line => line.Digest));
        Assert.True(lines[1].Time < lines[0].Time - TimeSpan.FromHours(2));
        Assert.True(lines[2].Time >= lines[1].Time);
        Assert.True(lines[2].Time < lines[0].Time);
        Logs.AssertChained(lines);
        Assert.Equal(await StoredAsync(), lines[^1].Digest);
    }

    [Fact]
    public async Task Times_do_not_fall_after_the_last_line_of_a_commit_that_two_commands_shared()
    {
        await PushAsync("zero", "v1");
        await PushInOneCommitAsync(between: TimeSpan.FromMinutes(10));
        Time.Advance(TimeSpan.FromMinutes(-5));
        await PushAgainAsync(restart: true, "three");

        var lines = await Logs.ReadAsync(Rows, V1);
        Assert.Equal(lines[^3].Position.Version, lines[^2].Position.Version);
        Assert.Equal(lines[^2].Time, lines[^1].Time);
        Logs.AssertChained(lines);
    }

    [Fact]
    public async Task A_new_activation_finds_the_last_line_among_many_commits_without_lines()
    {
        await PushAsync("one", "v1");
        for (var i = 0; i < 40; i++)
        {
            await GrainCluster.LinkAsync(Repository, Bytes($"blob {i}"));
        }

        Time.Advance(TimeSpan.FromMinutes(-50));
        await PushAgainAsync(restart: true, "two");

        var lines = await Logs.ReadAsync(Rows, V1);
        Assert.Equal(lines[0].Time, lines[1].Time);
    }

    /// <summary>
    /// Pushes twice to one tag, until both pushes share a commit: another commit, which this method holds, makes them wait. Returns both
    /// manifests in the order of their lines.
    /// </summary>
    private async Task<Digest?[]> PushInOneCommitAsync(TimeSpan between)
    {
        for (var attempt = 0; attempt < 100; attempt++)
        {
            await PushTwiceAsync($"{attempt}", between);
            var lines = (await Logs.ReadAsync(Rows, V1))[^2..];
            if (lines[0].Position.Version == lines[1].Position.Version)
            {
                return [lines[0].Digest, lines[1].Digest];
            }
        }

        throw new InvalidOperationException("No two pushes shared a commit.");
    }

    private async Task PushTwiceAsync(string attempt, TimeSpan between)
    {
        var (reached, gate) = (new TaskCompletionSource(), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        Store.BeforeCommit = partition =>
        {
            reached.TrySetResult();
            return partition.Value == Partition ? gate.Task : Task.CompletedTask;
        };
        var held = PutAsync(Image($"before {attempt}"));
        await reached.Task;
        var one = PutAsync(Image($"one {attempt}", "v1"));
        await AskAsync();
        Time.Advance(between);
        var two = PutAsync(Image($"two {attempt}", "v1"));
        await AskAsync();
        gate.SetResult();
        await Task.WhenAll(held, one, two);
    }

    /// <summary>Asks the grain so often that it has received what was sent before, most of the time.</summary>
    private async Task AskAsync()
    {
        for (var i = 0; i < 10; i++)
        {
            await TaggedAsync(V1);
        }
    }

    private async Task PushAgainAsync(bool restart, string content)
    {
        if (!restart)
        {
            await PushAsync(content, "v1");
            return;
        }

        await using var later = await StartAsync();
        Assert.IsType<ManifestStored>(await later.Repository("app").PutManifest(Image(content, "v1"), default));
        await later.StopAsync();
    }

    /// <summary>Returns the manifest of the tag. The activation of the first silo may be stale.</summary>
    private async Task<Digest> StoredAsync()
    {
        var values = await Rows.GetAsync(new PartitionKey(Partition), [RepositoryRows.Tag(V1)], default);
        return TagRow.Decode(values[0]!.Value).Digest;
    }

    private bool Put(RowBatch batch, string content, params string[] tags)
    {
        ManifestRules.Store(
            batch,
            Image(content, tags),
            new Change(Commands.Origin(), Time.GetUtcNow(), new LogClock(), History.Retention));
        return true;
    }
}
