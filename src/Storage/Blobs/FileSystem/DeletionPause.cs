namespace Granary.Storage.Blobs.FileSystem;

/// <summary>Pauses deletions while one or more backups need the objects.</summary>
internal sealed class DeletionPause
{
    private readonly Lock _lock = new();
    private int _pauses;
    private TaskCompletionSource _resumed = Resumed();

    /// <summary>Pauses deletions until the answer is disposed.</summary>
    public IDisposable Begin()
    {
        lock (_lock)
        {
            if (_pauses++ == 0)
            {
                _resumed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }

        return new Pause(this);
    }

    /// <summary>Waits until no pause is left.</summary>
    public Task WaitAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return _resumed.Task.WaitAsync(cancellationToken);
        }
    }

    private static TaskCompletionSource Resumed()
    {
        var resumed = new TaskCompletionSource();
        resumed.SetResult();
        return resumed;
    }

    private void End()
    {
        lock (_lock)
        {
            if (--_pauses == 0)
            {
                _resumed.SetResult();
            }
        }
    }

    private sealed class Pause(DeletionPause deletions) : IDisposable
    {
        private int _isOver;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _isOver, 1) == 0)
            {
                deletions.End();
            }
        }
    }
}
