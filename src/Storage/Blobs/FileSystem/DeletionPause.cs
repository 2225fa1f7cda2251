namespace Granary.Storage.Blobs.FileSystem;

/// <summary>Lets deletions wait as long as somebody needs what is there.</summary>
internal sealed class DeletionPause
{
    private readonly Lock _lock = new();
    private int _holders;
    private TaskCompletionSource _free = Freed();

    public IDisposable Enter()
    {
        lock (_lock)
        {
            if (_holders++ == 0)
            {
                _free = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }
        }

        return new Holder(this);
    }

    public Task WaitAsync(CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return _free.Task.WaitAsync(cancellationToken);
        }
    }

    private static TaskCompletionSource Freed()
    {
        var free = new TaskCompletionSource();
        free.SetResult();
        return free;
    }

    private void Leave()
    {
        lock (_lock)
        {
            if (--_holders == 0)
            {
                _free.SetResult();
            }
        }
    }

    private sealed class Holder(DeletionPause hold) : IDisposable
    {
        private int _over;

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _over, 1) == 0)
            {
                hold.Leave();
            }
        }
    }
}
