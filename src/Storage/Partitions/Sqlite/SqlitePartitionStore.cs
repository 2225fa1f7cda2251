using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Granary.Storage.Space;

namespace Granary.Storage.Partitions.Sqlite;

/// <summary>
/// Stores partitions in one SQLite file: the embedded default. Writes go through <see cref="SqliteWriter"/>. Reads run on the caller's
/// thread with a pooled connection, since a row in the page cache takes microseconds. The file belongs to one process, which
/// <see cref="Data.DataDirectory"/> ensures.
/// </summary>
public sealed class SqlitePartitionStore : IPartitionStore, IDisposable
{
    // A scan reads a page, ends its read, and begins another: an open read keeps SQLite from reusing the log.
    private const int PageNames = 1024;
    private const int PageBytes = 1024 * 1024;

    // The most idle connections that stay open. Each holds up to a megabyte of pages.
    private const int MaxIdleReaders = 6;

    // Greater than each key, because keys are ASCII.
    private const string AfterAllKeys = "\u0080";

    private readonly string _path;
    private readonly PartitionIds _ids = new();
    private readonly SqliteWriter _writer;
    private readonly ConcurrentStack<SqliteReader> _readers = [];

    /// <summary>Opens the database file, or creates it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="time">Limits how long a commit is deferred; null for the system's time.</param>
    /// <param name="space">The free space of its disk; null if the store does not react when free space is short.</param>
    /// <exception cref="StorageException">The file cannot be opened or is damaged.</exception>
    public SqlitePartitionStore(string path, TimeProvider? time = null, DiskSpace? space = null)
    {
        _path = path;
        _writer = new SqliteWriter(path, _ids, time ?? TimeProvider.System, space);
        try
        {
            _readers.Push(new SqliteReader(path, _ids));
        }
        catch
        {
            _writer.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public ValueTask<Head> OpenAsync(PartitionKey partition, CancellationToken cancellationToken) =>
        Read(reader => reader.Open(partition), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<RowValues> GetAsync(
        PartitionKey partition,
        IReadOnlyList<string> keys,
        CancellationToken cancellationToken) =>
        Read(reader => new RowValues(reader.Get(partition, keys)), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<RowPage> ScanAsync(
        PartitionKey partition,
        string prefix,
        string? after,
        int limit,
        CancellationToken cancellationToken)
    {
        var (start, end) = Bounds(prefix, after);
        return Read(reader => reader.Scan(partition, start, end, limit, PageBytes), cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<Head> CommitAsync(
        PartitionKey partition,
        Head expected,
        IReadOnlyList<Mutation> batch,
        CancellationToken cancellationToken) =>
        cancellationToken.IsCancellationRequested
            ? ValueTask.FromCanceled<Head>(cancellationToken)
            : new ValueTask<Head>(_writer.Enqueue(partition, expected, batch).Done);

    /// <inheritdoc/>
    public QueuedCommit Queue(
        PartitionKey partition,
        Head expected,
        IReadOnlyList<Mutation> batch,
        IReadOnlyCollection<CommitNumber> dependsOn,
        bool isDeferrable) =>
        _writer.Enqueue(partition, expected, batch, dependsOn, isDeferrable);

    /// <inheritdoc/>
    public void FlushDeferred() => _writer.FlushDeferred();

    /// <inheritdoc/>
    public async ValueTask DropAsync(PartitionKey partition, Head expected, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        await _writer.Enqueue(partition, expected, batch: null).Done;
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<PartitionKey> PartitionsAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (start, end) = Bounds(prefix, after: null);
        while (true)
        {
            var position = start;
            var names = await Read(reader => reader.Partitions(position, end, PageNames), cancellationToken);
            foreach (var name in names)
            {
                yield return name;
            }

            if (names.Count < PageNames)
            {
                yield break;
            }

            start = names[^1].Value;
        }
    }

    /// <summary>
    /// Copies all partitions into another database file, durably. The copy is of one version of the database; reads and commits go on.
    /// </summary>
    /// <param name="path">The file; it does not exist yet.</param>
    /// <exception cref="StorageException">The file cannot be written.</exception>
    public void CopyTo(string path)
    {
        using var database = SqliteDatabase.Open(_path, writable: false);
        using (var copy = database.Prepare("VACUUM INTO ?1"))
        {
            copy.Bind(1, path).Run();
        }

        // SQLite does not sync the file that VACUUM INTO writes.
        FileSync.File(path);
    }

    /// <summary>Checks a database file. Returns the first fault that SQLite finds; null if it finds none.</summary>
    public static string? FindFault(string path)
    {
        try
        {
            using var database = SqliteDatabase.Open(path, writable: false);
            using var check = database.Prepare("PRAGMA integrity_check(1)");
            return check.Step() && check.Text(0) is not "ok" and var fault ? fault : null;
        }
        catch (StorageException e)
        {
            return e.Message;
        }
    }

    /// <summary>Commits what is queued, and closes the file.</summary>
    public void Dispose()
    {
        _writer.Dispose();
        while (_readers.TryPop(out var reader))
        {
            reader.Dispose();
        }
    }

    /// <summary>Returns the keys between which the rows of a prefix lie, both exclusive.</summary>
    private static (string After, string Before) Bounds(string prefix, string? after)
    {
        var end = prefix.Length == 0 ? AfterAllKeys : prefix[..^1] + (char)(prefix[^1] + 1);

        // Just before the prefix, because the prefix itself may be a key.
        var start = prefix.Length == 0 ? "" : prefix[..^1] + (char)(prefix[^1] - 1) + AfterAllKeys;
        return (after is not null && string.CompareOrdinal(after, start) > 0 ? after : start, end);
    }

    private ValueTask<T> Read<T>(Func<SqliteReader, T> read, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        SqliteReader? reader = null;
        try
        {
            if (!_readers.TryPop(out reader))
            {
                reader = new SqliteReader(_path, _ids);
            }

            var answer = read(reader);
            if (_readers.Count < MaxIdleReaders)
            {
                _readers.Push(reader);
            }
            else
            {
                reader.Dispose();
            }

            return ValueTask.FromResult(answer);
        }
        catch (StorageException e)
        {
            // The state of this connection is not known, so the next read opens another one.
            reader?.Dispose();
            return ValueTask.FromException<T>(e);
        }
    }
}
