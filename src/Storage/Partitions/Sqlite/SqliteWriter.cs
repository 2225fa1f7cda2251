using System.Runtime.InteropServices;

namespace Granary.Storage.Partitions.Sqlite;

/// <summary>
/// The one thread that writes. Everything that waits becomes one transaction, and so one fsync (group commit):
/// <list type="number">
/// <item>check the head of each batch, in order of arrival, and refuse those that lost;</item>
/// <item>write the others;</item>
/// <item>commit: durable when it returns (WAL, <c>synchronous=FULL</c>).</item>
/// </list>
/// Any failure fails the whole transaction: savepoints are no guard, since a full disk may roll back everything, and what follows would commit by itself.
/// </summary>
internal sealed class SqliteWriter : IDisposable
{
    // A transaction ends here: longer ones let the first caller wait for the last one's bytes.
    private const int MaxTransactionBytes = 4 * 1024 * 1024;

    // Heads that are kept in memory, so as not to be looked up: this is the only writer. About 200 bytes each.
    private const int MaxHeads = 8192;

    private readonly string _path;
    private readonly PartitionIds _ids;
    private readonly Dictionary<PartitionKey, (long Id, long Version)> _heads = [];
    private readonly Lock _lock = new();
    private readonly Queue<Write> _queue = new();
    private readonly AutoResetEvent _queued = new(initialState: false);
    private readonly Thread _thread;
    private SqliteDatabase _database;
    private Statements _statements;
    private bool _stopping;

    public SqliteWriter(string path, PartitionIds ids)
    {
        (_path, _ids) = (path, ids);
        (_database, _statements) = Connect();
        _thread = new Thread(Work) { Name = "granary-writer", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Queues a batch; null drops the partition.</summary>
    public Task<Head> EnqueueAsync(PartitionKey partition, Head expected, IReadOnlyList<Mutation>? batch)
    {
        var write = new Write(partition, expected, batch);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_stopping, this);
            _queue.Enqueue(write);
        }

        _queued.Set();
        return write.Done.Task;
    }

    public void Dispose()
    {
        lock (_lock)
        {
            if (_stopping)
            {
                return;
            }

            _stopping = true;
        }

        _queued.Set();
        _thread.Join();
        _statements.Dispose();
        _database.Dispose();
        _queued.Dispose();
    }

    private void Work()
    {
        var group = new List<Write>();
        while (true)
        {
            TakeGroup(group);
            if (group.Count > 0)
            {
                CommitGroup(group);
            }
            else if (IsOver())
            {
                return;
            }
            else
            {
                _queued.WaitOne();
            }
        }
    }

    private bool IsOver()
    {
        lock (_lock)
        {
            return _stopping && _queue.Count == 0;
        }
    }

    private void TakeGroup(List<Write> group)
    {
        group.Clear();
        lock (_lock)
        {
            for (var bytes = 0; bytes < MaxTransactionBytes && _queue.TryDequeue(out var write); bytes += write.Bytes)
            {
                group.Add(write);
            }
        }
    }

    private void CommitGroup(List<Write> group)
    {
        try
        {
            _statements.Begin.Run();

            // :: Step 1: who lost. Two batches of one partition are two activations; the first to arrive wins.
            var heads = new Dictionary<PartitionKey, (long Id, long Version)>(group.Count);
            foreach (var write in group)
            {
                ref var head = ref CollectionsMarshal.GetValueRefOrAddDefault(heads, write.Partition, out var known);
                if (!known && !_heads.TryGetValue(write.Partition, out head))
                {
                    head = _statements.FindHead(write.Partition);
                }

                write.Won = head.Version == write.Expected.Version;
                if (write.Won)
                {
                    head.Version = write.Batch is null ? 0 : head.Version + 1;
                }
            }

            // :: Step 2: what the winners say.
            foreach (var write in group)
            {
                if (write.Won)
                {
                    _statements.Apply(write, ref CollectionsMarshal.GetValueRefOrNullRef(heads, write.Partition).Id);
                }
            }

            // :: Step 3: durable.
            _statements.Commit.Run();
            Remember(heads);
        }
        catch (Exception e)
        {
            // Whether it was committed is not known.
            _heads.Clear();
            Recover();
            foreach (var write in group)
            {
                write.Done.TrySetException(e is StorageException ? e : new StorageException(StorageFault.Unavailable, "The database failed.", e));
            }

            return;
        }

        foreach (var write in group)
        {
            if (write.Won)
            {
                write.Done.TrySetResult(write.Batch is null ? Head.None : write.Expected.Next);
            }
            else
            {
                write.Done.TrySetException(new HeadMovedException(write.Partition, write.Expected));
            }
        }
    }

    /// <summary>Keeps the heads of what was committed.</summary>
    private void Remember(Dictionary<PartitionKey, (long Id, long Version)> heads)
    {
        if (_heads.Count + heads.Count > MaxHeads)
        {
            _heads.Clear();
        }

        foreach (var (partition, head) in heads)
        {
            if (head.Id == 0)
            {
                _heads.Remove(partition);
                _ids.Remove(partition);
            }
            else
            {
                _heads[partition] = head;
                _ids.Set(partition, head.Id);
            }
        }
    }

    /// <summary>Leaves no transaction open; with a connection that does not obey, takes another one.</summary>
    private void Recover()
    {
        try
        {
            if (!_database.IsIdle)
            {
                _database.Execute("ROLLBACK");
            }
        }
        catch (StorageException)
        {
            try
            {
                var (database, statements) = Connect();
                _statements.Dispose();
                _database.Dispose();
                (_database, _statements) = (database, statements);
            }
            catch (StorageException)
            {
                // The next transaction fails with this fault, and comes here again.
            }
        }
    }

    private (SqliteDatabase Database, Statements Statements) Connect()
    {
        var database = SqliteDatabase.Open(_path, writable: true);
        try
        {
            database.Execute(SqliteSchema.Create);
            return (database, new Statements(database));
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    private sealed class Write(PartitionKey partition, Head expected, IReadOnlyList<Mutation>? batch)
    {
        public PartitionKey Partition => partition;

        public Head Expected => expected;

        /// <summary>The changes; null if the partition goes.</summary>
        public IReadOnlyList<Mutation>? Batch => batch;

        public TaskCompletionSource<Head> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool Won { get; set; }

        public int Bytes { get; } = batch?.Sum(mutation => mutation.Key.Length + (mutation.Value?.Length ?? 0)) ?? 0;
    }

    private sealed class Statements(SqliteDatabase database) : IDisposable
    {
        private readonly SqliteDatabase.Statement _find = database.Prepare("SELECT id, version FROM heads WHERE name = ?1");
        private readonly SqliteDatabase.Statement _create = database.Prepare("INSERT INTO heads (name, version) VALUES (?1, 1) RETURNING id");
        private readonly SqliteDatabase.Statement _move = database.Prepare("UPDATE heads SET version = ?2 WHERE id = ?1");
        private readonly SqliteDatabase.Statement _dropHead = database.Prepare("DELETE FROM heads WHERE id = ?1");
        private readonly SqliteDatabase.Statement _dropRows = database.Prepare("DELETE FROM rows WHERE partition = ?1");
        private readonly SqliteDatabase.Statement _put = database.Prepare(
            "INSERT INTO rows (partition, key, value) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET value = excluded.value");

        private readonly SqliteDatabase.Statement _delete = database.Prepare("DELETE FROM rows WHERE partition = ?1 AND key = ?2");

        public SqliteDatabase.Statement Begin { get; } = database.Prepare("BEGIN IMMEDIATE");

        public SqliteDatabase.Statement Commit { get; } = database.Prepare("COMMIT");

        /// <summary>A partition's number and version; zeros if there is none.</summary>
        public (long Id, long Version) FindHead(PartitionKey partition)
        {
            try
            {
                return _find.Bind(1, partition.Value).Step() ? (_find.Number(0), _find.Number(1)) : default;
            }
            finally
            {
                _find.Reset();
            }
        }

        /// <summary>Writes a batch that won; <paramref name="id"/> is the partition's number, 0 while it has none.</summary>
        public void Apply(Write write, ref long id)
        {
            if (write.Batch is null)
            {
                _dropRows.Bind(1, id).Run();
                _dropHead.Bind(1, id).Run();
                id = 0;
                return;
            }

            if (id == 0)
            {
                id = CreateHead(write.Partition);
            }
            else
            {
                _move.Bind(1, id).Bind(2, write.Expected.Next.Version).Run();
            }

            for (var i = 0; i < write.Batch.Count; i++)
            {
                var (key, value) = write.Batch[i];
                if (value is { } bytes)
                {
                    _put.Bind(1, id).Bind(2, key).Bind(3, bytes.Span).Run();
                }
                else
                {
                    _delete.Bind(1, id).Bind(2, key).Run();
                }
            }
        }

        public void Dispose()
        {
            foreach (var statement in new[] { _find, _create, _move, _dropHead, _dropRows, _put, _delete, Begin, Commit })
            {
                statement.Dispose();
            }
        }

        private long CreateHead(PartitionKey partition)
        {
            try
            {
                _create.Bind(1, partition.Value).Step();
                return _create.Number(0);
            }
            finally
            {
                _create.Reset();
            }
        }
    }
}
