namespace Granary.Storage.Blobs.FileSystem;

/// <summary>
/// Threads for what waits for the disk: a sync takes milliseconds, and of a large layer seconds. On the threads that serve requests a few
/// of them would hold up everybody; here they hold up each other, and what is synced at the same time shares the journal's commit. A thread
/// that had nothing to do for a while ends.
/// </summary>
internal static class SyncThreads
{
    // More at once gain nothing: the journal takes them one group after the other.
    private const int MaxThreads = 8;

    private static readonly TimeSpan IdleTime = TimeSpan.FromSeconds(20);
    private static readonly Queue<Work> Queue = new();
    private static int s_threads;
    private static int s_idle;

    /// <summary>Runs something that blocks; its exceptions are the task's.</summary>
    public static Task<T> RunAsync<T>(Func<T> blocking)
    {
        var work = new Work<T>(blocking);
        lock (Queue)
        {
            Queue.Enqueue(work);
            if (s_idle >= Queue.Count)
            {
                Monitor.Pulse(Queue);
            }
            else if (s_threads < MaxThreads)
            {
                s_threads++;
                new Thread(Serve) { Name = "granary-sync", IsBackground = true }.Start();
            }
        }

        return work.Done;
    }

    private static void Serve()
    {
        while (Next() is { } work)
        {
            work.Run();
        }
    }

    /// <summary>Waits for work; null when there was none for so long that the thread may end.</summary>
    private static Work? Next()
    {
        lock (Queue)
        {
            Work? work;
            while (!Queue.TryDequeue(out work))
            {
                s_idle++;
                var isCalled = Monitor.Wait(Queue, IdleTime);
                s_idle--;
                if (!isCalled && Queue.Count == 0)
                {
                    s_threads--;
                    return null;
                }
            }

            return work;
        }
    }

    private abstract class Work
    {
        public abstract void Run();
    }

    private sealed class Work<T>(Func<T> blocking) : Work
    {
        private readonly TaskCompletionSource<T> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task<T> Done => _done.Task;

        public override void Run()
        {
            try
            {
                _done.SetResult(blocking());
            }
            catch (Exception e)
            {
                _done.SetException(e);
            }
        }
    }
}
