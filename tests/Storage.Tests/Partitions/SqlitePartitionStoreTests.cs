using System.Buffers.Binary;
using System.Collections;
using Granary.Storage.Partitions;
using Granary.Storage.Partitions.Sqlite;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Storage.Tests.Partitions;

public sealed class SqlitePartitionStoreTests : PartitionStoreContract, IDisposable
{
    private static readonly PartitionKey Key = new("test/file");

    private static readonly PartitionKey Other = new("test/other");

    private readonly TemporaryDirectory _directory = new();
    private readonly FakeTimeProvider _time = new();
    private SqlitePartitionStore _store;

    public SqlitePartitionStoreTests() => _store = new SqlitePartitionStore(File, _time);

    protected override IPartitionStore Store => _store;

    private string File => _directory.Combine("rows.db");

    public void Dispose()
    {
        _store.Dispose();
        _directory.Dispose();
    }

    [Fact]
    public async Task What_was_committed_is_in_the_file()
    {
        await CommitAsync(Key, Head.None, Put("a", "1"));

        Reopen();

        Assert.Equal(new Head(1), await _store.OpenAsync(Key, default));
        Assert.Equal("1", await GetAsync(Key, "a"));
    }

    [Fact]
    public async Task Closing_finishes_what_is_queued()
    {
        var commits = Enumerable.Range(0, 500).Select(i => CommitAsync(new PartitionKey($"queued/{i}"), Head.None, Put("a", $"{i}"))).ToArray();

        Reopen();
        await Task.WhenAll(commits);

        Assert.Equal("499", await GetAsync(new PartitionKey("queued/499"), "a"));
    }

    [Fact]
    public async Task Commits_of_many_partitions_at_once_all_hold()
    {
        await Task.WhenAll(Enumerable.Range(0, 32).Select(number => Task.Run(async () =>
        {
            var partition = new PartitionKey($"many/{number}");
            var head = Head.None;
            for (var i = 0; i < 50; i++)
            {
                head = await CommitAsync(partition, head, Put($"row{i}", $"{i}"));
                Assert.Equal($"{i}", await GetAsync(partition, $"row{i}"));
            }
        })));

        for (var number = 0; number < 32; number++)
        {
            Assert.Equal(new Head(50), await _store.OpenAsync(new PartitionKey($"many/{number}"), default));
        }
    }

    [Fact]
    public async Task A_page_of_large_rows_ends_before_its_limit()
    {
        await CommitAsync(Key, Head.None, [.. Enumerable.Range(0, 6).Select(i => Put($"row/{i}", new string('x', 600_000)))]);

        var page = await _store.ScanAsync(Key, "row/", after: null, limit: 100, default);

        Assert.InRange(page.Rows.Count, 1, 5);
        Assert.True(page.More);
    }

    [Fact]
    public async Task What_can_wait_waits_for_company_and_goes_with_it()
    {
        await CommitAsync(Key, Head.None, Put("a", "1"));
        var before = Transactions();
        var waiting = Queue(Key, new Head(1), isDeferrable: true);
        var second = Queue(new PartitionKey("test/third"), Head.None, isDeferrable: true);
        Assert.Equal(new Head(1), await _store.OpenAsync(Key, default));

        var resting = Queue(Other, Head.None, isDeferrable: false, waiting.Number!.Value);

        Assert.Equal(new Head(1), await resting.Done);
        Assert.Equal(new Head(2), await _store.OpenAsync(Key, default));
        Assert.Equal(new Head(2), await waiting.Done);
        Assert.Equal(new Head(1), await second.Done);
        Assert.Equal(before + 1, Transactions());
    }

    [Fact]
    public async Task What_can_wait_goes_when_somebody_is_in_a_hurry()
    {
        var waiting = Queue(Key, Head.None, isDeferrable: true);
        var other = Queue(Other, Head.None, isDeferrable: true);

        _store.FlushDeferred();

        Assert.Equal(new Head(1), await waiting.Done);
        Assert.Equal(new Head(1), await other.Done);
    }

    /// <summary>Commits of random partitions, some stale, some of transactions that fail, that rest on random others: whatever is true, so is what it rests on, and who was told so was told the truth.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task Nothing_is_true_that_rests_on_something_that_is_not(int seed)
    {
        var random = new Random(seed);
        var commits = new List<(QueuedCommit Queued, PartitionKey Partition, int[] DependsOn)>();
        for (var i = 0; i < 1500; i++)
        {
            var partition = new PartitionKey($"random/{(random.Next(3) > 0 ? i : random.Next(i + 1))}");
            int[] dependsOn = i == 0 ? [] : [.. Enumerable.Range(0, random.Next(3)).Select(_ => Math.Max(0, i - 1 - random.Next(random.Next(4) == 0 ? i : 4)))];
            Mutation[] rows = [Put($"commit/{i}", "x"), Mutation.Put("size", new byte[random.Next(8) == 0 ? 60_000 : 10])];
            var batch = random.Next(40) == 0 ? new Unreadable(rows) : WithLargeRows(rows, random.Next(15) == 0 ? 20 : 0);
            var queued = _store.Queue(partition, Head.None, batch, [.. dependsOn.Select(basis => commits[basis].Queued.Number!.Value)], isDeferrable: random.Next(2) == 0);
            commits.Add((queued, partition, dependsOn));
            if (random.Next(20) == 0)
            {
                _store.FlushDeferred();
                await IsDoneAsync(commits[^1].Queued.Done);
            }
        }

        _store.FlushDeferred();
        var isTrue = new bool[commits.Count];
        for (var i = 0; i < commits.Count; i++)
        {
            var told = await IsDoneAsync(commits[i].Queued.Done);
            isTrue[i] = await GetAsync(commits[i].Partition, $"commit/{i}") == "x";
            Assert.Equal(told, isTrue[i]);
            Assert.True(!isTrue[i] || commits[i].DependsOn.All(basis => isTrue[basis]), $"{i} is true, and one of {string.Join(' ', commits[i].DependsOn)} is not.");
        }

        Assert.InRange(isTrue.Count(done => done), 100, 1400);

        static IReadOnlyList<Mutation> WithLargeRows(Mutation[] rows, int count) =>
            [.. Enumerable.Range(0, count).Select(number => Mutation.Put($"large/{number}", new byte[60_000])), .. rows];

        static async Task<bool> IsDoneAsync(Task<Head> done)
        {
            try
            {
                await done;
                return true;
            }
            catch (Exception e) when (e is HeadMovedException or StorageException)
            {
                return false;
            }
        }
    }

    [Fact]
    public async Task What_can_wait_does_not_wait_for_ever()
    {
        foreach (var partition in (PartitionKey[])[Key, Other])
        {
            var waiting = Queue(partition, Head.None, isDeferrable: true);
            Assert.Equal(Head.None, await _store.OpenAsync(partition, default));

            _time.Advance(TimeSpan.FromSeconds(1));

            Assert.Equal(new Head(1), await waiting.Done);
        }
    }

    [Fact]
    public async Task Closing_finishes_what_can_wait()
    {
        var waiting = Queue(Key, Head.None, isDeferrable: true);

        Reopen();

        Assert.Equal(new Head(1), await waiting.Done);
        Assert.Equal(new Head(1), await _store.OpenAsync(Key, default));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_rests_on_a_commit_that_lost_fails_and_nothing_of_it_is_done(bool inOneTransaction)
    {
        await CommitAsync(Key, Head.None, Put("a", "1"));
        var stale = Queue(Key, Head.None, isDeferrable: inOneTransaction);
        if (!inOneTransaction)
        {
            await Assert.ThrowsAsync<HeadMovedException>(() => stale.Done);
        }

        var resting = Queue(Other, Head.None, isDeferrable: true, stale.Number!.Value);
        var restingOnThat = Queue(new PartitionKey("test/third"), Head.None, isDeferrable: false, resting.Number!.Value);

        await Assert.ThrowsAsync<StorageException>(() => resting.Done);
        await Assert.ThrowsAsync<StorageException>(() => restingOnThat.Done);
        Assert.Equal(Head.None, await _store.OpenAsync(Other, default));
        Assert.Equal(new Head(1), await Queue(Other, Head.None, isDeferrable: false).Done);
    }

    [Fact]
    public async Task What_rests_on_a_transaction_that_failed_fails()
    {
        await ExecuteAsync("ALTER TABLE large_values RENAME TO gone");
        var failing = _store.Queue(Key, Head.None, [Mutation.Put("a", RegistryClient.RandomBytes(1000))], dependsOn: [], isDeferrable: false);
        var reason = await Assert.ThrowsAsync<StorageException>(() => failing.Done);

        Assert.Same(reason, await Assert.ThrowsAsync<StorageException>(() => Queue(Other, Head.None, isDeferrable: false, failing.Number!.Value).Done));
        Assert.Equal(new Head(1), await Queue(Other, Head.None, isDeferrable: false).Done);
    }

    [Fact]
    public async Task What_is_not_known_any_more_counts_as_failed()
    {
        var first = Queue(Key, Head.None, isDeferrable: false);
        await first.Done;
        Assert.Equal(new Head(1), await Queue(Other, Head.None, isDeferrable: false, first.Number!.Value).Done);
        for (var i = 0; i < 1100; i++)
        {
            await Assert.ThrowsAsync<HeadMovedException>(() => Queue(Key, Head.None, isDeferrable: false).Done);
        }

        await Assert.ThrowsAsync<StorageException>(() => Queue(Other, new Head(1), isDeferrable: false, first.Number!.Value).Done);
        await Assert.ThrowsAsync<StorageException>(() => Queue(Other, new Head(1), isDeferrable: false, new CommitNumber(long.MaxValue)).Done);
        var last = Queue(Key, new Head(1), isDeferrable: false);
        Assert.Equal(new Head(2), await Queue(Other, new Head(1), isDeferrable: false, last.Number!.Value).Done);
    }

    [Fact]
    public async Task Large_values_go_with_their_rows()
    {
        var large = RegistryClient.RandomBytes(1000);
        var head = await CommitAsync(Key, Head.None, Mutation.Put("a", large), Mutation.Put("b", large), Mutation.Put("c", large), Mutation.Put("d", large));
        Assert.Equal(4L, await CountAsync("large_values"));

        await CommitAsync(Key, head, Mutation.Delete("a"), Put("b", "small"), Mutation.Put("c", RegistryClient.RandomBytes(2000)));
        Assert.Equal(2L, await CountAsync("large_values"));

        await _store.DropAsync(Key, head.Next, default);
        Assert.Equal(0L, await CountAsync("large_values"));
    }

    [Fact]
    public async Task A_database_of_format_1_is_upgraded_as_it_is()
    {
        _store.Dispose();
        System.IO.File.Delete(File);
        var old = RegistryClient.RandomBytes(2000);
        await ExecuteAsync($"{OldFormats.Tables1} INSERT INTO heads (name, version) VALUES ('test/file', 7);");
        await ExecuteAsync("INSERT INTO rows (partition, key, value) VALUES (1, 'a', $value), (1, 'b', $value)", old);

        _store = new SqlitePartitionStore(File);

        Assert.Equal(new Head(7), await _store.OpenAsync(Key, default));
        Assert.Equal(old, (await _store.GetAsync(Key, ["a"], default))[0]!.Value.ToArray());
        await CommitAsync(Key, new Head(7), Mutation.Put("a", RegistryClient.RandomBytes(1500)), Mutation.Delete("b"));
        Reopen();
        Assert.Equal(1500, (await _store.GetAsync(Key, ["a", "b"], default))[0]!.Value.Length);
        Assert.Equal(1L, await CountAsync("large_values"));
    }

    [Theory]
    [InlineData("auto_vacuum", "2")]
    [InlineData("journal_mode", "wal")]
    public async Task The_file_is_set_up_as_the_design_says(string pragma, string value)
    {
        Assert.Equal(value, (await ExecuteAsync($"PRAGMA {pragma}"))?.ToString());
    }

    [Fact]
    public async Task A_damaged_file_is_refused()
    {
        await CommitAsync(Key, Head.None, Put("a", "1"));
        _store.Dispose();
        await System.IO.File.WriteAllBytesAsync(File, RegistryClient.RandomBytes(8192));

        var error = Assert.Throws<StorageException>(() => _store = new SqlitePartitionStore(File));

        Assert.Equal(StorageFault.Damaged, error.Fault);
    }

    /// <summary>How many transactions are in the log: its frames that say how large the database is after them (SQLite, "WAL Frame Header").</summary>
    private int Transactions()
    {
        using var log = new FileStream(File + "-wal", FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
        var header = new byte[32];
        log.ReadExactly(header);
        var (page, count) = (BinaryPrimitives.ReadInt32BigEndian(header.AsSpan(8)), 0);
        var frame = new byte[24 + page];
        while (log.ReadAtLeast(frame, frame.Length, throwOnEndOfStream: false) == frame.Length)
        {
            count += BinaryPrimitives.ReadInt32BigEndian(frame.AsSpan(4)) > 0 ? 1 : 0;
        }

        return count;
    }

    private QueuedCommit Queue(PartitionKey partition, Head expected, bool isDeferrable, params CommitNumber[] dependsOn) =>
        _store.Queue(partition, expected, [Put("a", "x")], dependsOn, isDeferrable);

    private Task<object?> CountAsync(string table) => ExecuteAsync($"SELECT count(*) FROM {table}");

    private async Task<object?> ExecuteAsync(string sql, byte[]? value = null)
    {
        await using var connection = new SqliteConnection($"Data Source={File};Pooling=False");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.Parameters.AddWithValue("$value", (object?)value ?? DBNull.Value);
        return await command.ExecuteScalarAsync();
    }

    private void Reopen()
    {
        _store.Dispose();
        _store = new SqlitePartitionStore(File);
    }

    /// <summary>A batch that fails in the middle of its transaction.</summary>
    private sealed class Unreadable(IReadOnlyList<Mutation> rows) : IReadOnlyList<Mutation>
    {
        public int Count => rows.Count;

        public Mutation this[int index] => index == 0 ? rows[0] : throw new InvalidOperationException("The test lets this transaction fail.");

        public IEnumerator<Mutation> GetEnumerator() => rows.GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
