namespace Granary.Grains.Collection;

/// <summary>Gives clients their turn: after each step of a collection, a rest as long as the step took. What waits for the disk or a processor waits for one small step at most.</summary>
public sealed class StepRest(TimeProvider time)
{
    // One that waited itself, for a backup say, need not make up for it.
    private static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(50);

    /// <summary>Does a step, and rests.</summary>
    /// <returns>What the step answered.</returns>
    public async Task<T> DoAsync<T>(Func<Task<T>> step, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        var answer = await step();
        var took = time.GetElapsedTime(began);
        await Task.Delay(took < Longest ? took : Longest, time, cancellationToken);
        return answer;
    }
}
