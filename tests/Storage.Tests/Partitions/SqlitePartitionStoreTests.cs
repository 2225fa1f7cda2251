using Granary.Storage.Partitions;
using Granary.Storage.Partitions.Sqlite;
using Microsoft.Data.Sqlite;

namespace Granary.Storage.Tests.Partitions;

public sealed class SqlitePartitionStoreTests : PartitionStoreContract, IDisposable
{
    private static readonly PartitionKey Key = new("test/file");

    private readonly TemporaryDirectory _directory = new();
    private SqlitePartitionStore _store;

    public SqlitePartitionStoreTests() => _store = new SqlitePartitionStore(File);

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

    [Theory]
    [InlineData("auto_vacuum", "2")]
    [InlineData("journal_mode", "wal")]
    public async Task The_file_is_set_up_as_the_design_says(string pragma, string value)
    {
        await using var connection = new SqliteConnection($"Data Source={File}");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = $"PRAGMA {pragma}";

        Assert.Equal(value, (await command.ExecuteScalarAsync())?.ToString());
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

    private void Reopen()
    {
        _store.Dispose();
        _store = new SqlitePartitionStore(File);
    }
}
