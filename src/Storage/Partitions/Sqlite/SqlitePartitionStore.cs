using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Granary.Storage.Space;

namespace Granary.Storage.Partitions.Sqlite;

/// <summary>
/// Partitions in one SQLite file: the embedded default. Writes go through <see cref="SqliteWriter"/>; reads run on the caller's thread with a pooled connection,
/// since a row that is in the page cache takes microseconds. The file belongs to one process (<see cref="Data.DataDirectory"/> sees to that).
/// </summary>
public sealed class SqlitePartitionStore : IPartitionStore, IDisposable
{
    // An open reader stops the log from being reset, so a scan reads a page, lets go, and comes back.
    private const int PageNames = 1024;
    private const int PageBytes = 1024 * 1024;

    // As many connections stay open as reads have run at once, up to this; each holds up to a megabyte of pages.
    private const int MaxIdleReaders = 6;

    // Keys are ASCII: nothing sorts behind this.
    private const string BehindAllKeys = "\u0080";

    private readonly string _path;
    private readonly PartitionIds _ids = new();
    private readonly SqliteWriter _writer;
    private readonly ConcurrentStack<SqliteReader> _readers = [];

    /// <summary>Opens the database file, or makes it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="time">Says how long commits wait that can; null for the system's time.</param>
    /// <param name="space">The free space of its disk; null if nothing has to be done when that is short.</param>
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
    public ValueTask<IReadOnlyList<ReadOnlyMemory<byte>?>> GetAsync(
        PartitionKey partition,
        IReadOnlyList<string> keys,
        CancellationToken cancellationToken) => Read<IReadOnlyList<ReadOnlyMemory<byte>?>>(reader => reader.Get(partition, keys), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<RowPage> ScanAsync(PartitionKey partition, string prefix, string? after, int limit, CancellationToken cancellationToken)
    {
        var (start, end) = Bounds(prefix, after);
        return Read(reader => reader.Scan(partition, start, end, limit, PageBytes), cancellationToken);
    }

    /// <inheritdoc/>
    public ValueTask<Head> CommitAsync(PartitionKey partition, Head expected, IReadOnlyList<Mutation> batch, CancellationToken cancellationToken) =>
        cancellationToken.IsCancellationRequested
            ? ValueTask.FromCanceled<Head>(cancellationToken)
            : new ValueTask<Head>(_writer.Enqueue(partition, expected, batch).Done);

    /// <inheritdoc/>
    public QueuedCommit Queue(PartitionKey partition, Head expected, IReadOnlyList<Mutation> batch, IReadOnlyCollection<CommitNumber> dependsOn, bool isDeferrable) =>
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

    /// <summary>Writes all partitions as they stand at one moment into a database file of their own, durably, while reads and commits go on.</summary>
    /// <param name="path">The file; it does not exist yet.</param>
    /// <exception cref="StorageException">It cannot be written.</exception>
    public void CopyTo(string path)
    {
        using var database = SqliteDatabase.Open(_path, writable: false);
        using (var copy = database.Prepare("VACUUM INTO ?1"))
        {
            copy.Bind(1, path).Run();
        }

        // SQLite leaves that to the system.
        FileSync.File(path);
    }

    /// <summary>Whether a database file is whole; null, or what SQLite finds wrong with it.</summary>
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

    /// <summary>Finishes what is queued and closes the file.</summary>
    public void Dispose()
    {
        _writer.Dispose();
        while (_readers.TryPop(out var reader))
        {
            reader.Dispose();
        }
    }

    /// <summary>The keys between which a prefix's rows lie, both exclusive.</summary>
    private static (string After, string Before) Bounds(string prefix, string? after)
    {
        var end = prefix.Length == 0 ? BehindAllKeys : prefix[..^1] + (char)(prefix[^1] + 1);

        // A key that is the prefix itself has nothing behind it to tell it apart, so begin just before it.
        var start = prefix.Length == 0 ? "" : prefix[..^1] + (char)(prefix[^1] - 1) + BehindAllKeys;
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
            // In whatever state the connection is, the next one is not.
            reader?.Dispose();
            return ValueTask.FromException<T>(e);
        }
    }
}
