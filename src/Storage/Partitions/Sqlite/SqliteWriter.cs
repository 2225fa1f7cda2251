using System.Runtime.InteropServices;
using Granary.Storage.Space;

namespace Granary.Storage.Partitions.Sqlite;

/// <summary>
/// The one thread that writes. Everything that waits becomes one transaction, and so one fsync (group commit):
/// <list type="number">
/// <item>check the head of each batch, in order of arrival, and what it rests on, and refuse those that lost;</item>
/// <item>write the others;</item>
/// <item>commit: durable when it returns (WAL, <c>synchronous=FULL</c>).</item>
/// </list>
/// Any failure fails the whole transaction: savepoints are no guard, since a full disk may roll back everything, and what follows would commit by itself.
/// A batch that can wait starts no transaction: it goes with the next one, or after some milliseconds.
/// <para>When the disk is short of free space, the log of the database is kept small, and the pages of deleted rows are given back to the
/// file system. When the disk is full, the ballast is released (<see cref="DiskSpace"/>), and the transaction is tried once more: only
/// commits that free room get this far, since pushes are refused before.</para>
/// </summary>
internal sealed class SqliteWriter : IDisposable
{
    // A transaction ends here: longer ones let the first caller wait for the last one's bytes.
    private const int MaxTransactionBytes = 4 * 1024 * 1024;

    // Heads that are kept in memory, so as not to be looked up: this is the only writer. About 200 bytes each.
    private const int MaxHeads = 8192;

    // The pages that one step gives back to the file system: some milliseconds, and then commits have their turn.
    private const int ShrinkPages = 64;

    // What the schema sets.
    private const int UsualLogPages = 4000;

    // Who queued something that can wait has mostly queued what rests on it long before; this is for those who changed their mind.
    private static readonly TimeSpan Patience = TimeSpan.FromMilliseconds(20);

    private readonly string _path;
    private readonly PartitionIds _ids;
    private readonly DiskSpace? _space;
    private readonly Dictionary<PartitionKey, (long Id, long Version)> _heads = [];
    private readonly Lock _lock = new();
    private readonly Queue<Write> _queue = new();
    private readonly AutoResetEvent _queued = new(initialState: false);
    private readonly CommitOutcomes _outcomes = new();
    private readonly Thread _thread;
    private readonly ITimer _patience;
    private SqliteDatabase _database;
    private Statements _statements;
    private long _lastNumber;
    private int _logPages = UsualLogPages;
    private bool _mayShrink;
    private bool _hasShrunk;
    private bool _isDue;
    private bool _isPatient;
    private bool _stopping;

    public SqliteWriter(string path, PartitionIds ids, TimeProvider time, DiskSpace? space)
    {
        (_path, _ids, _space) = (path, ids, space);
        (_database, _statements) = Connect();
        _patience = time.CreateTimer(_ => EndPatience(), state: null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
        _thread = new Thread(Work) { Name = "granary-writer", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Queues a batch; null drops the partition.</summary>
    public QueuedCommit Enqueue(
        PartitionKey partition,
        Head expected,
        IReadOnlyList<Mutation>? batch,
        IReadOnlyCollection<CommitNumber>? dependsOn = null,
        bool isDeferrable = false)
    {
        var write = new Write(partition, expected, batch, dependsOn ?? []);
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_stopping, this);
            write.Number = new CommitNumber(++_lastNumber);
            _queue.Enqueue(write);
            if (!isDeferrable)
            {
                _isDue = true;
                _queued.Set();
            }
            else if (!_isDue && !_isPatient)
            {
                _isPatient = true;
                _patience.Change(Patience, Timeout.InfiniteTimeSpan);
            }
        }

        return new QueuedCommit(write.Number, write.Done.Task);
    }

    /// <summary>What is queued waits no longer.</summary>
    public void FlushDeferred()
    {
        lock (_lock)
        {
            if (!_isDue && _queue.Count > 0)
            {
                _isDue = true;

                // In the lock, so that Dispose does not overtake it.
                _queued.Set();
            }
        }
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
            _isDue = true;
        }

        _queued.Set();
        _thread.Join();
        _patience.Dispose();
        _statements.Dispose();
        _database.Dispose();
        _queued.Dispose();
    }

    private void EndPatience()
    {
        lock (_lock)
        {
            _isPatient = false;
        }

        FlushDeferred();
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
                _mayShrink = true;
            }
            else if (IsOver())
            {
                return;
            }
            else if (!TryShrink())
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
            for (var bytes = 0; _isDue && bytes < MaxTransactionBytes && _queue.TryDequeue(out var write); bytes += write.Bytes)
            {
                group.Add(write);
            }

            _isDue &= _queue.Count > 0;
        }
    }

    private void CommitGroup(List<Write> group)
    {
        var failure = TryCommit(group);
        if (failure is { Fault: StorageFault.Full } && _space?.ReleaseBallast() == true)
        {
            // Heads are read again: whatever became of the first attempt, the second one writes nothing twice.
            failure = TryCommit(group);
        }

        foreach (var write in group)
        {
            if (failure is not null)
            {
                _outcomes.Note(write.Number, failure);
                write.Done.TrySetException(failure);
            }
            else if (write.Failure is null)
            {
                write.Done.TrySetResult(write.Batch is null ? Head.None : write.Expected.Next);
            }
            else
            {
                write.Done.TrySetException(write.Failure);
            }
        }
    }

    /// <summary>Commits a group; returns why it failed, or null. Then each batch has an outcome of its own.</summary>
    private StorageException? TryCommit(List<Write> group)
    {
        try
        {
            BoundLog();
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

                write.Failure = (Exception?)_outcomes.FindFailure(write.DependsOn)
                    ?? (head.Version == write.Expected.Version ? null : new HeadMovedException(write.Partition, write.Expected));
                if (write.Failure is null)
                {
                    head.Version = write.Batch is null ? 0 : head.Version + 1;
                }

                _outcomes.Note(write.Number, write.Failure);
            }

            // :: Step 2: what the winners say.
            foreach (var write in group)
            {
                if (write.Failure is null)
                {
                    _statements.Apply(write, ref CollectionsMarshal.GetValueRefOrNullRef(heads, write.Partition).Id);
                }
            }

            // :: Step 3: durable.
            _statements.Commit.Run();
            Remember(heads);
            return null;
        }
        catch (Exception e)
        {
            // Whether it was committed is not known.
            _heads.Clear();
            Recover();
            return e as StorageException ?? new StorageException(StorageFault.Unavailable, "The database failed.", e);
        }
    }

    /// <summary>Bounds the log of the database by the free space.</summary>
    private void BoundLog()
    {
        if (_space is not null && _space.Advise().LogPages is var pages && pages != _logPages)
        {
            _database.Execute($"PRAGMA wal_autocheckpoint = {pages}");
            _logPages = pages;
        }
    }

    /// <summary>
    /// Gives some pages of deleted rows back to the file system, if that is short of space. Returns false if there is nothing to be done.
    /// </summary>
    private bool TryShrink()
    {
        if (!_mayShrink || _space is null || _space.Advise().UnusedPages is var unused && unused == long.MaxValue)
        {
            return false;
        }

        try
        {
            _mayShrink = _statements.CountUnusedPages() > unused;
            if (_mayShrink)
            {
                BoundLog();
                _database.Execute($"PRAGMA incremental_vacuum({ShrinkPages})");
                _hasShrunk = true;
            }
            else if (_hasShrunk)
            {
                // The file becomes shorter with the checkpoint.
                _hasShrunk = false;
                _database.Execute("PRAGMA wal_checkpoint(PASSIVE)");
            }
        }
        catch (StorageException)
        {
            // It is tried again after the next commit.
            _mayShrink = false;
            Recover();
        }

        return _mayShrink;
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
                (_database, _statements, _logPages) = (database, statements, UsualLogPages);
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
            SqliteSchema.Prepare(database);
            return (database, new Statements(database));
        }
        catch
        {
            database.Dispose();
            throw;
        }
    }

    private sealed class Write(PartitionKey partition, Head expected, IReadOnlyList<Mutation>? batch, IReadOnlyCollection<CommitNumber> dependsOn)
    {
        public CommitNumber Number { get; set; }

        public PartitionKey Partition => partition;

        public Head Expected => expected;

        /// <summary>The changes; null if the partition goes.</summary>
        public IReadOnlyList<Mutation>? Batch => batch;

        public IReadOnlyCollection<CommitNumber> DependsOn => dependsOn;

        public TaskCompletionSource<Head> Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>Why it is refused: it is stale, or what it rests on is not there.</summary>
        public Exception? Failure { get; set; }

        public int Bytes { get; } = batch?.Sum(mutation => mutation.Key.Length + (mutation.Value?.Length ?? 0)) ?? 0;
    }

    private sealed class Statements(SqliteDatabase database) : IDisposable
    {
        private readonly SqliteDatabase.Statement _find = database.Prepare("SELECT id, version FROM heads WHERE name = ?1");
        private readonly SqliteDatabase.Statement _create = database.Prepare("INSERT INTO heads (name, version) VALUES (?1, 1)");
        private readonly SqliteDatabase.Statement _move = database.Prepare("UPDATE heads SET version = ?2 WHERE id = ?1");
        private readonly SqliteDatabase.Statement _dropHead = database.Prepare("DELETE FROM heads WHERE id = ?1");
        private readonly SqliteDatabase.Statement _dropRows = database.Prepare("DELETE FROM rows WHERE partition = ?1");
        private readonly SqliteDatabase.Statement _put = database.Prepare(
            "INSERT INTO rows (partition, key, value) VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET value = excluded.value WHERE large IS NULL");

        private readonly SqliteDatabase.Statement _putLarge = database.Prepare(
            "INSERT INTO rows (partition, key, value, large) VALUES (?1, ?2, x'', ?3) ON CONFLICT DO UPDATE SET value = excluded.value, large = excluded.large WHERE large IS NULL");

        private readonly SqliteDatabase.Statement _large = database.Prepare("INSERT INTO large_values (value) VALUES (?1)");

        private readonly SqliteDatabase.Statement _countUnusedPages = database.Prepare("PRAGMA freelist_count");

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

        /// <summary>Counts the pages of the file that no row uses.</summary>
        public long CountUnusedPages()
        {
            try
            {
                return _countUnusedPages.Step() ? _countUnusedPages.Number(0) : 0;
            }
            finally
            {
                _countUnusedPages.Reset();
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
                _create.Bind(1, write.Partition.Value).Run();
                id = database.LastId;
            }
            else
            {
                _move.Bind(1, id).Bind(2, write.Expected.Next.Version).Run();
            }

            for (var i = 0; i < write.Batch.Count; i++)
            {
                var (key, value) = write.Batch[i];
                if (value is not { } bytes)
                {
                    _delete.Bind(1, id).Bind(2, key).Run();
                }
                else if (bytes.Length <= SqliteSchema.MaxValueInTree)
                {
                    Put(_put.Bind(1, id).Bind(2, key).Bind(3, bytes.Span), id, key);
                }
                else
                {
                    _large.Bind(1, bytes.Span).Run();
                    Put(_putLarge.Bind(1, id).Bind(2, key).Bind(3, database.LastId), id, key);
                }
            }
        }

        public void Dispose()
        {
            SqliteDatabase.Statement[] all =
                [_find, _create, _move, _dropHead, _dropRows, _put, _putLarge, _large, _countUnusedPages, _delete, Begin, Commit];
            foreach (var statement in all)
            {
                statement.Dispose();
            }
        }

        private void Put(SqliteDatabase.Statement put, long id, string key)
        {
            put.Run();
            if (database.Changes == 0)
            {
                // A large value goes with its row, and not otherwise (see the schema).
                _delete.Bind(1, id).Bind(2, key).Run();
                put.Run();
            }
        }
    }
}
