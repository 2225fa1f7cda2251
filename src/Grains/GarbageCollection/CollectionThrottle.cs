using Granary.Grains.Interfaces;

namespace Granary.Grains.GarbageCollection;

/// <summary>
/// Runs the steps of collections, and gives way to the clients of this silo. Without clients, up to 16 shards or repositories make a large
/// step at the same time, so that their commits share a transaction and a sync of the disk. While clients send requests, one of them makes
/// one small step, and a rest of the same length follows. So a request waits for the disk or a processor no longer than a small step takes.
/// </summary>
public sealed class CollectionThrottle(TimeProvider time) : IClientActivity
{
    // The first request after a pause waits for one round: some tens of milliseconds. Few subjects make large steps, so that the rows that
    // their references share are read once.
    private const int MaxParallel = 16;
    private const int MaxRowsOfRound = 2048;
    private const int MaxRowsOfStep = 1024;

    // The rows of one commit that takes some milliseconds.
    private const int MaxRowsBesideClients = 32;

    // Covers the time between two requests of one push, and the pauses of a few slow clients.
    private static readonly TimeSpan ActivityWindow = TimeSpan.FromSeconds(1);

    // Timers are no finer than some milliseconds. Steps that find nothing to do are shorter, and would mostly wait for timers.
    private static readonly TimeSpan MinRest = TimeSpan.FromMilliseconds(5);

    // A step that waited itself, such as for a backup, has used no resources in that time.
    private static readonly TimeSpan MaxRest = TimeSpan.FromMilliseconds(50);

    private long _lastRequest;
    private long _owedRest;

    /// <summary>Whether a client has sent a request within the last second.</summary>
    public bool HasClients => Volatile.Read(ref _lastRequest) is > 0 and var last && time.GetElapsedTime(last) < ActivityWindow;

    /// <inheritdoc/>
    /// <remarks>Two requests at once may write in the wrong order. The race is benign: their timestamps are nearly the same.</remarks>
    public void NoteRequest() => Volatile.Write(ref _lastRequest, time.GetTimestamp());

    /// <summary>Runs a step and returns its answer. While clients send requests, a rest follows that is as long as the step was.</summary>
    public async Task<T> RunStepAsync<T>(Func<Task<T>> step, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        var answer = await step();
        await RestAsync(time.GetElapsedTime(began), cancellationToken);
        return answer;
    }

    /// <summary>Runs all pieces of work to their ends, some of them at the same time.</summary>
    internal async Task RunAllAsync(IEnumerable<CollectionStep> work, DeferredFailures failures, CancellationToken cancellationToken)
    {
        using var waiting = work.GetEnumerator();
        var open = new List<CollectionStep>(MaxParallel);
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var hasClients = HasClients;
            var width = hasClients ? 1 : MaxParallel;
            while (open.Count < width && waiting.MoveNext())
            {
                open.Add(waiting.Current);
            }

            if (open.Count == 0)
            {
                return;
            }

            var round = open[..Math.Min(width, open.Count)];
            var maxRows = hasClients ? MaxRowsBesideClients : Math.Min(MaxRowsOfRound / round.Count, MaxRowsOfStep);
            var more = await RunStepAsync(
                () => Task.WhenAll(round.Select(step => failures.TryAsync(() => step(maxRows)))),
                cancellationToken);
            open.RemoveRange(0, round.Count);
            open.InsertRange(0, round.Where((_, i) => more[i]));
        }
    }

    private async Task RestAsync(TimeSpan worked, CancellationToken cancellationToken)
    {
        if (!HasClients)
        {
            Interlocked.Exchange(ref _owedRest, 0);
            return;
        }

        var owed = TimeSpan.FromTicks(Interlocked.Add(ref _owedRest, worked.Ticks));
        if (owed >= MinRest)
        {
            Interlocked.Exchange(ref _owedRest, 0);
            await Task.Delay(owed < MaxRest ? owed : MaxRest, time, cancellationToken);
        }
    }
}
