using System.Runtime.ExceptionServices;

namespace Granary.Grains.GarbageCollection;

/// <summary>
/// Works on many things in rounds: some of them make a step each, all at once, so that their commits share one transaction and one sync of the disk; then comes the next round. While clients use
/// the registry a round is one small step of one thing, with a rest after it. What fails does not keep the others from being done.
/// </summary>
internal sealed class Rounds(StepRest rest, CancellationToken cancellationToken)
{
    // A round takes some tens of milliseconds: what the first client waits that comes when there was none. Few things make large steps, so that what they have in common is done once.
    private const int Width = 16;
    private const int RoundSize = 2048;
    private const int LargestStepSize = 1024;

    // One commit's worth: some milliseconds, and then pushes have their turn.
    private const int SmallStepSize = 32;

    private readonly List<Exception> _failures = [];

    /// <summary>A step of something, that looks at so many rows at most; answers whether there is a next one.</summary>
    public delegate Task<bool> Step(int size);

    /// <summary>Does all of them to their ends.</summary>
    public async Task DoAsync(IEnumerable<Step> steps)
    {
        using var waiting = steps.GetEnumerator();
        var open = new List<Step>(Width);
        while (true)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var isSmall = rest.IsNeeded;
            var width = isSmall ? 1 : Width;
            while (open.Count < width && waiting.MoveNext())
            {
                open.Add(waiting.Current);
            }

            if (open.Count == 0)
            {
                return;
            }

            var round = open[..Math.Min(width, open.Count)];
            var size = isSmall ? SmallStepSize : Math.Min(RoundSize / round.Count, LargestStepSize);
            var more = await rest.DoAsync(() => Task.WhenAll(round.Select(step => TryAsync(() => step(size)))), cancellationToken);
            open.RemoveRange(0, round.Count);
            open.InsertRange(0, round.Where((_, i) => more[i]));
        }
    }

    /// <summary>Does something; what it answers, or the default if it fails, which is told in the end.</summary>
    public async Task<T?> TryAsync<T>(Func<Task<T>> code)
    {
        try
        {
            return await code();
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            lock (_failures)
            {
                _failures.Add(e);
            }

            return default;
        }
    }

    /// <summary>Tells of what has failed. A fault of the cluster or the disk before a damaged row: that is there for whoever looks next, too.</summary>
    public void End()
    {
        if ((_failures.Find(failure => failure is not FormatException) ?? _failures.FirstOrDefault()) is { } failure)
        {
            ExceptionDispatchInfo.Throw(failure);
        }
    }
}
