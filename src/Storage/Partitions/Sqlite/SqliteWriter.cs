using System.Runtime.InteropServices;
using Granary.Storage.Space;

namespace Granary.Storage.Partitions.Sqlite;

/// <summary>
/// The one thread that writes. All due writes become one transaction, and so need one fsync (group commit):
/// <list type="number">
/// <item>check the head and the dependencies of each write, in order of arrival, and refuse the stale ones;</item>
/// <item>apply the others;</item>
/// <item>commit: durable when it returns (WAL, <c>synchronous=FULL</c>).</item>
/// </list>
/// A failure fails the whole transaction. Savepoints do not help: a full disk may roll back everything, and the statements that follow
/// would then commit one by one.
/// <para>When the disk is full, the writer releases the ballast (<see cref="DiskSpace"/>) and tries the transaction once more. Only commits
/// that free room get this far: pushes are refused before.</para>
/// </summary>
internal sealed class SqliteWriter : IDisposable
{
    // The heads that are kept in memory, about 200 bytes each. They stay true because this is the only writer.
    private const int MaxHeads = 8192;

    private readonly PartitionIds _ids;
    private readonly DiskSpace? _space;
    private readonly WriteQueue _queue;
    private readonly WriterConnection _connection;
    private readonly Dictionary<PartitionKey, (long Id, long Version)> _heads = [];
    private readonly CommitOutcomes _outcomes = new();
    private readonly Thread _thread;

    public SqliteWriter(string path, PartitionIds ids, TimeProvider time, DiskSpace? space)
    {
        (_ids, _space) = (ids, space);
        _connection = new WriterConnection(path, space);
        _queue = new WriteQueue(time);
        _thread = new Thread(Run) { Name = "granary-writer", IsBackground = true };
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
        var write = new QueuedWrite(partition, expected, batch, dependsOn ?? []);
        _queue.Enqueue(write, isDeferrable);
        return new QueuedCommit(write.Number, write.Done.Task);
    }

    /// <summary>Makes all queued writes due now.</summary>
    public void FlushDeferred() => _queue.FlushDeferred();

    /// <summary>Commits what is queued, and closes the connection.</summary>
    public void Dispose()
    {
        if (!_queue.Close())
        {
            return;
        }

        _thread.Join();
        _queue.Dispose();
        _connection.Dispose();
    }

    private void Run()
    {
        var group = new List<QueuedWrite>();
        var mayShrink = false;
        while (true)
        {
            _queue.TakeGroup(group);
            if (group.Count > 0)
            {
                CommitGroup(group);
                mayShrink = true;
            }
            else if (_queue.IsDrained)
            {
                return;
            }
            else
            {
                mayShrink = mayShrink && _connection.TryShrink();
                if (!mayShrink)
                {
                    _queue.Wait();
                }
            }
        }
    }

    private void CommitGroup(List<QueuedWrite> group)
    {
        var failure = TryCommit(group);
        if (failure is { Fault: StorageFault.Full } && _space?.ReleaseBallast() == true)
        {
            // The second attempt reads the heads again. If the first one did take effect, the writes are now stale and write nothing twice.
            failure = TryCommit(group);
        }

        foreach (var write in group)
        {
            if (failure is not null)
            {
                _outcomes.Record(write.Number, failure);
                write.Done.TrySetException(failure);
            }
            else if (write.Refusal is null)
            {
                write.Done.TrySetResult(write.Batch is null ? Head.None : new Head(write.Expected.NextVersion));
            }
            else
            {
                write.Done.TrySetException(write.Refusal);
            }
        }
    }

    /// <summary>Commits a group in one transaction. Returns why the transaction failed; null if it is durable.</summary>
    private StorageException? TryCommit(List<QueuedWrite> group)
    {
        try
        {
            _connection.BoundLog();
            _connection.Statements.Begin.Run();

            // :: Step 1: refuse.
            var heads = new Dictionary<PartitionKey, (long Id, long Version)>(group.Count);
            foreach (var write in group)
            {
                Check(write, heads);
            }

            // :: Step 2: apply.
            foreach (var write in group)
            {
                if (write.Refusal is null)
                {
                    _connection.Statements.Apply(write, ref CollectionsMarshal.GetValueRefOrNullRef(heads, write.Partition).Id);
                }
            }

            // :: Step 3: commit.
            _connection.Statements.Commit.Run();
            KeepHeads(heads);
            return null;
        }
        catch (Exception e)
        {
            // The transaction may or may not be committed, so the heads in memory may be wrong.
            _heads.Clear();
            _connection.Recover();
            return e as StorageException ?? new StorageException(StorageFault.Unavailable, "The database failed.", e);
        }
    }

    /// <summary>
    /// Refuses a write that is stale or whose dependency failed. Two batches over one head come from two activations: the first one wins.
    /// </summary>
    private void Check(QueuedWrite write, Dictionary<PartitionKey, (long Id, long Version)> heads)
    {
        ref var head = ref CollectionsMarshal.GetValueRefOrAddDefault(heads, write.Partition, out var known);
        if (!known && !_heads.TryGetValue(write.Partition, out head))
        {
            head = _connection.Statements.FindHead(write.Partition);
        }

        write.Refusal = (Exception?)_outcomes.FindFailure(write.DependsOn)
            ?? (head.Version == write.Expected.Version ? null : new HeadMovedException(write.Partition, write.Expected));
        if (write.Refusal is null)
        {
            head.Version = write.Batch is null ? 0 : head.Version + 1;
        }

        _outcomes.Record(write.Number, write.Refusal);
    }

    private void KeepHeads(Dictionary<PartitionKey, (long Id, long Version)> heads)
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
}
