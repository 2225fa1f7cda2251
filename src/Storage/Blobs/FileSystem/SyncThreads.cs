namespace Granary.Storage.Blobs.FileSystem;

/// <summary>
/// Runs calls that wait for the disk on threads of their own. A sync takes milliseconds, and of a large layer seconds: on the threads that
/// serve requests, a few syncs would hold up all requests. Syncs that run at once share a commit of the file system's journal.
/// </summary>
internal static class SyncThreads
{
    // More at once gain nothing: the journal commits one group after the other.
    private const int MaxThreads = 8;

    private static readonly Queue<Task> Queue = new();
    private static int s_threads;
    private static int s_idle;

    /// <summary>Runs a call that blocks. The task gets its result or its exception.</summary>
    public static Task<T> RunAsync<T>(Func<T> blocking)
    {
        var call = new Task<T>(blocking, TaskCreationOptions.RunContinuationsAsynchronously);
        lock (Queue)
        {
            Queue.Enqueue(call);
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

        return call;
    }

    private static void Serve()
    {
        while (true)
        {
            Dequeue().RunSynchronously(TaskScheduler.Default);
        }
    }

    private static Task Dequeue()
    {
        lock (Queue)
        {
            Task? call;
            while (!Queue.TryDequeue(out call))
            {
                s_idle++;
                Monitor.Wait(Queue);
                s_idle--;
            }

            return call;
        }
    }
}
