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
    public async Task Committed_rows_survive_a_restart()
    {
        await CommitAsync(Key, Head.None, Put("a", "1"));

        Reopen();

        Assert.Equal(new Head(1), await _store.OpenAsync(Key, default));
        Assert.Equal("1", await GetAsync(Key, "a"));
    }

    [Fact]
    public async Task Closing_commits_what_is_queued()
    {
        var commits = Enumerable.Range(0, 500)
            .Select(i => CommitAsync(new PartitionKey($"queued/{i}"), Head.None, Put("a", $"{i}")))
            .ToArray();

        Reopen();
        await Task.WhenAll(commits);

        Assert.Equal("499", await GetAsync(new PartitionKey("queued/499"), "a"));
    }

    [Fact]
    public async Task Commits_of_many_partitions_at_once_are_all_stored()
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
    public async Task Deferred_commits_share_the_transaction_of_the_next_commit()
    {
        await CommitAsync(Key, Head.None, Put("a", "1"));
        var before = Transactions();
        var deferred = Queue(Key, new Head(1), isDeferrable: true);
        var second = Queue(new PartitionKey("test/third"), Head.None, isDeferrable: true);
        Assert.Equal(new Head(1), await _store.OpenAsync(Key, default));

        var dependent = Queue(Other, Head.None, isDeferrable: false, deferred.Number!.Value);

        Assert.Equal(new Head(1), await dependent.Done);
        Assert.Equal(new Head(2), await _store.OpenAsync(Key, default));
        Assert.Equal(new Head(2), await deferred.Done);
        Assert.Equal(new Head(1), await second.Done);
        Assert.Equal(before + 1, Transactions());
    }

    [Fact]
    public async Task Flushing_commits_what_is_deferred()
    {
        var deferred = Queue(Key, Head.None, isDeferrable: true);
        var other = Queue(Other, Head.None, isDeferrable: true);

        _store.FlushDeferred();

        Assert.Equal(new Head(1), await deferred.Done);
        Assert.Equal(new Head(1), await other.Done);
    }

    /// <summary>
    /// Commits of random partitions depend on random others; some are stale, and some transactions fail. Each row that is stored has the
    /// rows that its commit depends on, and each caller got the true outcome.
    /// </summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task A_commit_is_stored_only_with_its_dependencies(int seed)
    {
        var random = new Random(seed);
        var commits = new List<(QueuedCommit Queued, PartitionKey Partition, int[] DependsOn)>();
        for (var i = 0; i < 1500; i++)
        {
            var partition = new PartitionKey($"random/{(random.Next(3) > 0 ? i : random.Next(i + 1))}");
            int[] dependsOn = i == 0
                ? []
                : [.. Enumerable.Range(0, random.Next(3)).Select(_ => Math.Max(0, i - 1 - random.Next(random.Next(4) == 0 ? i : 4)))];
            Mutation[] rows = [Put($"commit/{i}", "x"), Mutation.Put("size", new byte[random.Next(8) == 0 ? 60_000 : 10])];
            var batch = random.Next(40) == 0 ? new Unreadable(rows) : WithLargeRows(rows, random.Next(15) == 0 ? 20 : 0);
            var queued = _store.Queue(
                partition,
                Head.None,
                batch,
                [.. dependsOn.Select(dependency => commits[dependency].Queued.Number!.Value)],
                isDeferrable: random.Next(2) == 0);
            commits.Add((queued, partition, dependsOn));
            if (random.Next(20) == 0)
            {
                _store.FlushDeferred();
                await IsDoneAsync(commits[^1].Queued.Done);
            }
        }

        _store.FlushDeferred();
        var isStored = new bool[commits.Count];
        for (var i = 0; i < commits.Count; i++)
        {
            var isAcknowledged = await IsDoneAsync(commits[i].Queued.Done);
            isStored[i] = await GetAsync(commits[i].Partition, $"commit/{i}") == "x";
            Assert.Equal(isAcknowledged, isStored[i]);
            Assert.True(
                !isStored[i] || commits[i].DependsOn.All(dependency => isStored[dependency]),
                $"Commit {i} is stored, and one of {string.Join(' ', commits[i].DependsOn)} is not.");
        }

        Assert.InRange(isStored.Count(stored => stored), 100, 1400);

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
    public async Task A_deferred_commit_is_committed_after_a_time()
    {
        foreach (var partition in (PartitionKey[])[Key, Other])
        {
            var deferred = Queue(partition, Head.None, isDeferrable: true);
            Assert.Equal(Head.None, await _store.OpenAsync(partition, default));

            _time.Advance(TimeSpan.FromSeconds(1));

            Assert.Equal(new Head(1), await deferred.Done);
        }
    }

    [Fact]
    public async Task Closing_commits_what_is_deferred()
    {
        var deferred = Queue(Key, Head.None, isDeferrable: true);

        Reopen();

        Assert.Equal(new Head(1), await deferred.Done);
        Assert.Equal(new Head(1), await _store.OpenAsync(Key, default));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_commit_that_depends_on_a_stale_one_fails_and_changes_nothing(bool inOneTransaction)
    {
        await CommitAsync(Key, Head.None, Put("a", "1"));
        var stale = Queue(Key, Head.None, isDeferrable: inOneTransaction);
        if (!inOneTransaction)
        {
            await Assert.ThrowsAsync<HeadMovedException>(() => stale.Done);
        }

        var dependent = Queue(Other, Head.None, isDeferrable: true, stale.Number!.Value);
        var indirect = Queue(new PartitionKey("test/third"), Head.None, isDeferrable: false, dependent.Number!.Value);

        await Assert.ThrowsAsync<StorageException>(() => dependent.Done);
        await Assert.ThrowsAsync<StorageException>(() => indirect.Done);
        Assert.Equal(Head.None, await _store.OpenAsync(Other, default));
        Assert.Equal(new Head(1), await Queue(Other, Head.None, isDeferrable: false).Done);
    }

    [Fact]
    public async Task A_commit_that_depends_on_a_failed_transaction_fails()
    {
        await ExecuteAsync("ALTER TABLE large_values RENAME TO gone");
        Mutation[] large = [Mutation.Put("a", RegistryClient.RandomBytes(1000))];
        var failing = _store.Queue(Key, Head.None, large, dependsOn: [], isDeferrable: false);
        var reason = await Assert.ThrowsAsync<StorageException>(() => failing.Done);

        var later = Queue(Other, Head.None, isDeferrable: false, failing.Number!.Value);
        Assert.Same(reason, await Assert.ThrowsAsync<StorageException>(() => later.Done));
        Assert.Equal(new Head(1), await Queue(Other, Head.None, isDeferrable: false).Done);
    }

    [Fact]
    public async Task A_dependency_without_a_known_outcome_counts_as_failed()
    {
        var first = Queue(Key, Head.None, isDeferrable: false);
        await first.Done;
        Assert.Equal(new Head(1), await Queue(Other, Head.None, isDeferrable: false, first.Number!.Value).Done);
        for (var i = 0; i < 1100; i++)
        {
            await Assert.ThrowsAsync<HeadMovedException>(() => Queue(Key, Head.None, isDeferrable: false).Done);
        }

        await Assert.ThrowsAsync<StorageException>(() => Queue(Other, new Head(1), isDeferrable: false, first.Number!.Value).Done);
        var unknown = new CommitNumber(long.MaxValue);
        await Assert.ThrowsAsync<StorageException>(() => Queue(Other, new Head(1), isDeferrable: false, unknown).Done);
        var last = Queue(Key, new Head(1), isDeferrable: false);
        Assert.Equal(new Head(2), await Queue(Other, new Head(1), isDeferrable: false, last.Number!.Value).Done);
    }

    [Fact]
    public async Task Large_values_are_deleted_with_their_rows()
    {
        var large = RegistryClient.RandomBytes(1000);
        var head = await CommitAsync(Key, Head.None, [.. "abcd".Select(key => Mutation.Put($"{key}", large))]);
        Assert.Equal(4L, await CountAsync("large_values"));

        await CommitAsync(Key, head, Mutation.Delete("a"), Put("b", "small"), Mutation.Put("c", RegistryClient.RandomBytes(2000)));
        Assert.Equal(2L, await CountAsync("large_values"));

        await _store.DropAsync(Key, new Head(head.NextVersion), default);
        Assert.Equal(0L, await CountAsync("large_values"));
    }

    [Fact]
    public async Task A_database_of_format_1_is_upgraded_in_place()
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
    public async Task The_file_has_the_settings_of_the_schema(string pragma, string value)
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

    /// <summary>
    /// Counts the transactions in the log: the frames that have the size of the database after a commit (SQLite, "WAL Frame Header").
    /// </summary>
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

    /// <summary>A batch whose second row makes its transaction fail.</summary>
    private sealed class Unreadable(IReadOnlyList<Mutation> rows) : IReadOnlyList<Mutation>
    {
        public int Count => rows.Count;

        public Mutation this[int index] =>
            index == 0 ? rows[0] : throw new InvalidOperationException("The test lets this transaction fail.");

        public IEnumerator<Mutation> GetEnumerator() => rows.GetEnumerator();

        IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
    }
}
