namespace Granary.Grains.GarbageCollection;

/// <summary>
/// Gives clients their turn: while there are any, a collection makes small steps, and rests between them for as long as it works, so that what waits for the disk or a processor waits for a
/// small step at most. While there are none, nobody waits, and it need not either.
/// </summary>
public sealed class StepRest(ClientActivity clients, TimeProvider time)
{
    // Timers are no finer than some milliseconds: steps that only look, and find nothing, would mostly wait for them.
    private static readonly TimeSpan Shortest = TimeSpan.FromMilliseconds(5);

    // One that waited itself, for a backup say, need not make up for it.
    private static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(50);

    private long _owed;

    /// <summary>Whether clients use the registry just now.</summary>
    public bool IsNeeded => clients.IsOn;

    /// <summary>Does a step, and rests if it is time to. Answers what the step does.</summary>
    public async Task<T> DoAsync<T>(Func<Task<T>> step, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        var answer = await step();
        if (!IsNeeded)
        {
            Interlocked.Exchange(ref _owed, 0);
            return answer;
        }

        var owed = TimeSpan.FromTicks(Interlocked.Add(ref _owed, time.GetElapsedTime(began).Ticks));
        if (owed >= Shortest)
        {
            Interlocked.Exchange(ref _owed, 0);
            await Task.Delay(owed < Longest ? owed : Longest, time, cancellationToken);
        }

        return answer;
    }
}
