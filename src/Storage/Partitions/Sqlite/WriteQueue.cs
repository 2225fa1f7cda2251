namespace Granary.Storage.Partitions.Sqlite;

/// <summary>
/// The writes that wait for the writer's thread, in order of arrival. A deferrable write alone starts no transaction: it waits for a write
/// that is not deferrable, for <see cref="FlushDeferred"/>, or for <see cref="MaxDeferral"/>.
/// </summary>
internal sealed class WriteQueue : IDisposable
{
    // A group ends here: in a longer transaction the first caller would wait for the last one's bytes.
    private const int MaxGroupBytes = 4 * 1024 * 1024;

    // A caller that queues a deferrable write mostly queues a dependent write long before this. The limit is for callers that do not.
    private static readonly TimeSpan MaxDeferral = TimeSpan.FromMilliseconds(20);

    private readonly Lock _lock = new();
    private readonly Queue<QueuedWrite> _writes = new();
    private readonly AutoResetEvent _due = new(initialState: false);
    private readonly ITimer _deferral;
    private long _lastNumber;
    private bool _isDue;
    private bool _isDeferring;
    private bool _isClosed;

    public WriteQueue(TimeProvider time) =>
        _deferral = time.CreateTimer(_ => EndDeferral(), state: null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);

    /// <summary>Whether the queue is closed and all its writes are taken.</summary>
    public bool IsDrained
    {
        get
        {
            lock (_lock)
            {
                return _isClosed && _writes.Count == 0;
            }
        }
    }

    /// <summary>Queues a write and gives it a number.</summary>
    /// <exception cref="ObjectDisposedException">The queue is closed.</exception>
    public void Enqueue(QueuedWrite write, bool isDeferrable)
    {
        lock (_lock)
        {
            ObjectDisposedException.ThrowIf(_isClosed, this);
            write.Number = new CommitNumber(++_lastNumber);
            _writes.Enqueue(write);
            if (!isDeferrable)
            {
                _isDue = true;
                _due.Set();
            }
            else if (!_isDue && !_isDeferring)
            {
                _isDeferring = true;
                _deferral.Change(MaxDeferral, Timeout.InfiniteTimeSpan);
            }
        }
    }

    /// <summary>Makes all queued writes due now.</summary>
    public void FlushDeferred()
    {
        lock (_lock)
        {
            if (!_isDue && _writes.Count > 0)
            {
                _isDue = true;

                // Inside the lock: after it, Dispose may already have disposed the event.
                _due.Set();
            }
        }
    }

    /// <summary>Takes the writes of the next transaction; none if none is due.</summary>
    public void TakeGroup(List<QueuedWrite> group)
    {
        group.Clear();
        lock (_lock)
        {
            for (var bytes = 0; _isDue && bytes < MaxGroupBytes && _writes.TryDequeue(out var write); bytes += write.Bytes)
            {
                group.Add(write);
            }

            _isDue &= _writes.Count > 0;
        }
    }

    /// <summary>Blocks the writer's thread until a write is due or the queue is closed.</summary>
    public void Wait() => _due.WaitOne();

    /// <summary>Accepts no more writes and makes the queued ones due. Returns false if the queue was closed already.</summary>
    public bool Close()
    {
        lock (_lock)
        {
            if (_isClosed)
            {
                return false;
            }

            _isClosed = true;
            _isDue = true;
        }

        _due.Set();
        return true;
    }

    /// <summary>Releases the timer and the event. The queue is closed and drained.</summary>
    public void Dispose()
    {
        _deferral.Dispose();
        _due.Dispose();
    }

    private void EndDeferral()
    {
        lock (_lock)
        {
            _isDeferring = false;
        }

        FlushDeferred();
    }
}
