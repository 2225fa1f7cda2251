using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Interfaces.Schedules;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories;
using Granary.Grains.Repositories.History;
using Granary.Grains.Schedules;
using Granary.Grains.Tests.Cluster;
using Granary.Protocol;
using Granary.Storage.Partitions;
using Granary.Storage.Partitions.Memory;
using Granary.Testing;

namespace Granary.Grains.Tests.Repositories.History;

/// <summary>The upgrade turns the rows of history of data format 3 into lines of the log.</summary>
public sealed class HistoryUpgradeTests : HistoryTest
{
    private const int BusyMoves = 150;

    private static readonly Tag Quiet = Tag.Parse("quiet");

    private static readonly Tag Busy = Tag.Parse("busy");

    private readonly MemoryPartitionStore _old = new();

    [Fact]
    public async Task Moves_become_lines_of_version_0_and_each_tag_has_its_chain()
    {
        var moves = await WriteOldAsync(_old);

        Assert.Equal(moves.Count, await UpgradeAsync(_old));

        Assert.Empty(await KeysAsync(_old, "his/"));
        var lines = await Logs.ReadAsync(_old);
        Assert.Equal(Enumerable.Range(0, moves.Count).Select(number => new LogPosition(0, number)), lines.Select(line => line.Position));
        Assert.Equal(moves, lines.Select(Move));
        Assert.All(lines, line => Assert.Equal(CommandOrigin.OfRegistry(ChangeCause.Unknown), line.Origin));
        Assert.All(lines, line => Assert.Equal(line.Digest is null ? ChangeKind.Untagged : ChangeKind.Tagged, line.Kind));
        foreach (var tag in lines.Select(line => line.Tag!.Value).Distinct())
        {
            var chain = await Logs.ReadAsync(_old, tag);
            Logs.AssertChained(chain);
            Assert.Equal(chain[^1].Position, await FindLastAsync(_old, tag));
        }
    }

    [Fact]
    public async Task The_other_rows_are_those_that_this_release_writes()
    {
        await WriteOldAsync(_old);
        await UpgradeAsync(_old);

        // Also the rows that say since when a manifest has lost a tag: the age of an untagged manifest counts from then.
        var (expected, upgraded) = (await ReadAsync(Rows, Partition), await ReadAsync(_old, Partition));
        Assert.Contains(expected, row => row.Key.StartsWith("tagged/", StringComparison.Ordinal) && row.Value != "01");
        Assert.Equal(Others(expected), Others(upgraded));
        Assert.Equal(Keys(expected, "gone"), Keys(upgraded, "gone"));
        foreach (var key in Keys(expected, "tag"))
        {
            var (before, after) = (Tagged(expected[key]), Tagged(upgraded[key]));
            // The old format knows no orders.
            Assert.Equal(before with { Line = null, Order = 0 }, after with { Line = null });
        }

        static IEnumerable<string> Others(SortedDictionary<string, string> rows) => rows
            .Where(row => row.Key.Split('/')[0] is not ("log" or "gone" or "history" or "tag") && !Logs.IsDueRow(row.Key))
            .Select(row => $"{row.Key} {row.Value}");

        static IEnumerable<string> Keys(SortedDictionary<string, string> rows, string prefix) =>
            rows.Keys.Where(key => key.Split('/')[0] == prefix);

        static TagRow Tagged(string value) => TagRow.Decode(Convert.FromHexString(value));
    }

    [Theory]
    [InlineData(CommitFault.Before)]
    [InlineData(CommitFault.After)]
    public async Task An_upgrade_that_was_interrupted_at_any_commit_ends_with_the_same_rows(CommitFault fault)
    {
        string[] repositories = ["app", "other"];
        await WriteOldAsync(_old, repositories);
        var commits = 0;
        await UpgradeAsync(Counting(_old, () => commits++));
        var expected = await ReadAllAsync(_old, repositories);
        Assert.True(commits >= 2 * ((BusyMoves / 64) + 2));

        for (var failing = 1; failing <= commits; failing++)
        {
            var (store, number) = (new MemoryPartitionStore(), 0);
            await WriteOldAsync(store, repositories);
            var faulty = new FaultyPartitionStore(store) { OnCommit = _ => ++number == failing ? fault : CommitFault.None };
            await Assert.ThrowsAnyAsync<Exception>(() => UpgradeAsync(faulty));

            await UpgradeAsync(faulty);

            Assert.Equal(expected, await ReadAllAsync(store, repositories));
        }
    }

    [Fact]
    public async Task A_second_run_changes_nothing()
    {
        await WriteOldAsync(_old);
        await UpgradeAsync(_old);
        var (expected, commits) = (await ReadAllAsync(_old, ["app"]), 0);

        Assert.Equal(0, await UpgradeAsync(Counting(_old, () => commits++)));

        Assert.Equal(0, commits);
        Assert.Equal(expected, await ReadAllAsync(_old, ["app"]));
    }

    [Fact]
    public async Task Upgraded_tags_have_a_history_that_goes_on_and_can_be_undone()
    {
        await WriteOldAsync(_old);
        var before = await Logs.ReadAsync(_old, V1);
        Assert.Empty(before);
        await UpgradeAsync(_old);
        await using var cluster = await StartOldAsync();
        var repository = cluster.Repository("app");

        var history = (await repository.ReadTagHistory(V1, from: null, limit: 10, default))!;
        Assert.Equal((Image("two").Digest, 4, false), (history.Current!.Value, history.Entries.Length, history.IsCut));
        var undo = new UndoTag { Tag = V1, Origin = Commands.Origin(ChangeCause.Undo) };
        Assert.Equal(Image("one").Digest, Assert.IsType<TagUndone>(await repository.UndoTag(undo, default)).To);

        // A tag that was removed, and one that has no history.
        Assert.IsType<TagUndone>(await repository.UndoTag(undo with { Tag = Tag.Parse("v2") }, default));
        Assert.Null(await repository.ReadTagHistory(Quiet, from: null, limit: 10, default));
        Assert.IsType<UndoTagUnknown>(await repository.UndoTag(undo with { Tag = Quiet }, default));
        Assert.IsType<ManifestStored>(await repository.PutManifest(Image("loud", "quiet", "busy"), default));
        var moved = Assert.Single((await repository.ReadTagHistory(Quiet, from: null, limit: 10, default))!.Entries).Line;
        Assert.Equal((Image("quiet").Digest, null), (moved.Previous!.Value, moved.Before));
        Assert.Equal(BusyMoves + 1, (await repository.ReadTagHistory(Busy, from: null, limit: 1000, default))!.Entries.Length);
        foreach (var tag in (Tag[])[V1, Busy, Tag.Parse("v2")])
        {
            Logs.AssertChained(await Logs.ReadAsync(_old, tag));
        }
    }

    [Fact]
    public async Task A_schedule_has_an_entry_for_the_oldest_line_and_the_sweep_removes_it_then()
    {
        var moves = await WriteOldAsync(_old);
        await UpgradeAsync(_old);
        var due = moves[0].Time + History.Retention;
        Assert.Equal([ScheduleRows.Due(due, "app")], (await ReadAsync(_old, Schedule("app"))).Keys);
        Assert.Contains(RepositoryRows.DueLog(due), await KeysAsync(_old, "due/"));

        await using var cluster = await StartOldAsync();
        Time.Advance(due - Time.GetUtcNow() - TimeSpan.FromMinutes(1));
        await Sweeper(cluster).SweepAsync(default);
        Assert.Equal(moves.Count, (await Logs.ReadAsync(_old)).Count);

        Time.Advance(TimeSpan.FromDays(2));
        await Sweeper(cluster).SweepAsync(default);
        Assert.Empty(await Logs.ReadAsync(_old));
        Assert.Empty(await KeysAsync(_old, "gone/"));
    }

    [Fact]
    public async Task A_manifest_that_lost_its_tag_before_the_upgrade_keeps_its_age()
    {
        var one = await PushAsync("one", "v1");
        Time.Advance(TimeSpan.FromDays(30));
        await PushAsync("two", "v1");
        Time.Advance(TimeSpan.FromMinutes(1));
        await CopyOldAsync(_old, "app");
        await UpgradeAsync(_old);
        await using var cluster = await StartOldAsync();

        Assert.Equal(0, await CollectAsync(Time.GetUtcNow() - TimeSpan.FromDays(7)));
        Time.Advance(TimeSpan.FromDays(7));
        Assert.Equal(1, await CollectAsync(Time.GetUtcNow() - TimeSpan.FromDays(7)));
        Assert.Null(await cluster.Repository("app").FindManifest(one, withBody: false, default));

        async Task<int> CollectAsync(DateTimeOffset before) =>
            (await cluster.Maintenance("app").CollectUntagged(new CollectUntagged(before, Limit: 100), default)).Removed;
    }

    private static PartitionKey Schedule(string repository) =>
        ScheduleRows.Partition(ScheduleKeys.OfRepository(RepositoryName.Parse(repository)));

    private static FaultyPartitionStore Counting(MemoryPartitionStore store, Action count) => new(store)
    {
        OnCommit = _ =>
        {
            count();
            return CommitFault.None;
        },
    };

    private static OldMove Move(LogLine line) => new(line.Time, line.Tag!.Value, line.Previous, line.Digest);

    private Task<long> UpgradeAsync(IPartitionStore store) => HistoryUpgrade.RunAsync(store, History.Retention, default);

    private Task<GrainCluster> StartOldAsync() => GrainCluster.StartAsync(_old, time: Time, collection: Collection, history: History);

    /// <summary>Writes repositories with tags that moved, were removed, and came back, in data format 3. Returns one's moves.</summary>
    private async Task<List<OldMove>> WriteOldAsync(MemoryPartitionStore store, params string[] repositories)
    {
        if ((await Logs.ReadAsync(Rows)).Count == 0)
        {
            await MoveAsync();
        }

        foreach (var repository in repositories.DefaultIfEmpty("app"))
        {
            await CopyOldAsync(store, repository);
        }

        return await MovesAsync();
    }

    private async Task MoveAsync()
    {
        await PushAsync("one", "v1", "v2", "v4");
        foreach (var (content, tag) in ((string, string)[])
                 [("two", "v1"), ("one", "v1"), ("three", "v3"), ("two", "v1"), ("quiet", "quiet"), ("four", "v5")])
        {
            Time.Advance(TimeSpan.FromMinutes(1));
            await PushAsync(content, tag);
        }

        foreach (var tag in (string[])["v2", "v4"])
        {
            Time.Advance(TimeSpan.FromMinutes(1));
            Assert.True(await Repository.Untag(Tag.Parse(tag), default));
        }

        Time.Advance(TimeSpan.FromMinutes(1));
        Assert.True(await Repository.DeleteManifest(Image("three").Digest, default));
        Time.Advance(TimeSpan.FromMinutes(1));
        await PushAsync("four", "v4");
        for (var i = 0; i < BusyMoves; i++)
        {
            Time.Advance(TimeSpan.FromMinutes(1));
            await PushAsync(i % 2 == 0 ? "even" : "odd", "busy");
        }
    }

    private async Task<List<OldMove>> MovesAsync() =>
        [.. (await Logs.ReadAsync(Rows)).Where(line => line.Tag is { } tag && tag != Quiet).Select(Move)];

    /// <summary>Writes the rows of the repository in data format 3.</summary>
    private async Task CopyOldAsync(MemoryPartitionStore store, string repository)
    {
        var old = new List<Mutation>();
        foreach (var (key, hex) in await ReadAsync(Rows, Partition))
        {
            var value = Convert.FromHexString(hex);
            var kind = key.Split('/')[0];
            if (kind is "log" or "gone" or "history" || Logs.IsDueRow(key) || (kind == "tagged" && TaggedRow.LostAt(value) is not null))
            {
                continue;
            }

            old.Add(Mutation.Put(key, kind == "tag" ? OldTag(TagRow.Decode(value)) : value));
        }

        foreach (var move in await MovesAsync())
        {
            old.Add(Mutation.Put(
                $"his/{KeyTime.Text(move.Time)}/{move.Tag}",
                new RowWriter(1).Text(move.From?.Value).Text(move.To?.Value).ToValue()));
        }

        await store.CommitAsync(new PartitionKey(RepositoryRows.PartitionPrefix + repository), Head.None, old, default);
    }

    private static ReadOnlyMemory<byte> OldTag(TagRow row) =>
        new RowWriter(1).Text(row.Digest.Value).Time(row.Since).Id(row.RequestId).ToValue();

    private static async Task<LogPosition?> FindLastAsync(MemoryPartitionStore store, Tag tag)
    {
        var values = await store.GetAsync(new PartitionKey(Partition), [RepositoryRows.Tag(tag), LogRows.Gone(tag)], default);
        if (values[0] is { } row)
        {
            Assert.Null(values[1]);
            return TagRow.Decode(row).Line;
        }

        var reader = new RowReader(values[1]!.Value, 1);
        return reader.Position();
    }

    private static async Task<List<string>> KeysAsync(MemoryPartitionStore store, string prefix) =>
        [.. (await ReadAsync(store, Partition)).Keys.Where(key => key.StartsWith(prefix, StringComparison.Ordinal))];

    private static async Task<List<string>> ReadAllAsync(MemoryPartitionStore store, string[] repositories)
    {
        var all = new List<string>();
        foreach (var repository in repositories)
        {
            foreach (var key in (PartitionKey[])[new PartitionKey(RepositoryRows.PartitionPrefix + repository), Schedule(repository)])
            {
                all.AddRange((await ReadAsync(store, key)).Select(row => $"{key.Value} {row.Key} {row.Value}"));
            }
        }

        return all;
    }

    private static Task<SortedDictionary<string, string>> ReadAsync(MemoryPartitionStore store, string partition) =>
        ReadAsync(store, new PartitionKey(partition));

    /// <summary>Returns the rows of a partition, their values in hexadecimal digits.</summary>
    private static async Task<SortedDictionary<string, string>> ReadAsync(MemoryPartitionStore store, PartitionKey partition)
    {
        var rows = new SortedDictionary<string, string>(StringComparer.Ordinal);
        await foreach (var page in store.PagesAsync(partition, "", after: null, default))
        {
            foreach (var row in page)
            {
                rows[row.Key] = Convert.ToHexString(row.Value.Span);
            }
        }

        return rows;
    }

    private sealed record OldMove(DateTimeOffset Time, Tag Tag, Digest? From, Digest? To);
}
