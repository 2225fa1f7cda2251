namespace Granary.Grains.Collection;

/// <summary>
/// Gives clients their turn: while there are any, a collection makes small steps, and after each a rest as long as the step took, so that what waits for the disk or a processor waits for one
/// small step at most. While there are none, nobody waits, and it need not either.
/// </summary>
public sealed class StepRest(ClientActivity clients, TimeProvider time)
{
    // One that waited itself, for a backup say, need not make up for it.
    private static readonly TimeSpan Longest = TimeSpan.FromMilliseconds(50);

    /// <summary>Whether clients use the registry just now.</summary>
    public bool IsNeeded => clients.IsOn;

    /// <summary>Does a step, and rests.</summary>
    public async Task DoAsync(Func<Task> step, CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        await step();
        if (IsNeeded)
        {
            var took = time.GetElapsedTime(began);
            await Task.Delay(took < Longest ? took : Longest, time, cancellationToken);
        }
    }
}
