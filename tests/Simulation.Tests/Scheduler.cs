namespace Granary.Simulation.Tests;

/// <summary>A client, an activation of a grain, or a collection. It runs in steps and can die between any two of them.</summary>
internal sealed class Actor(string name)
{
    private readonly TaskCompletionSource _death = new();

    public string Name => name;

    public bool IsDead => _death.Task.IsCompleted;

    /// <summary>Completes when the actor dies, so that callers that wait for its answer notice.</summary>
    public Task Death => _death.Task;

    public void Die() => _death.TrySetResult();
}

/// <summary>
/// Runs real asynchronous code on one thread, one step after the other, in an order that is drawn from a seed. A step ends where the code
/// waits for the network, a store or a timer: <see cref="PauseAsync"/>. The same seed makes the same run.
/// </summary>
internal sealed class Scheduler(Random random) : SynchronizationContext
{
    private readonly Queue<(SendOrPostCallback Callback, object? State)> _ready = new();
    private readonly List<(Actor Actor, TaskCompletionSource Wake)> _paused = [];
    private readonly AsyncLocal<Actor?> _current = new();

    /// <summary>A hash of all choices made so far. Two different runs have different ones.</summary>
    public long Fingerprint { get; private set; } = 17;

    /// <summary>The name of the actor that makes the step.</summary>
    public string CurrentName => _current.Value?.Name ?? "no actor";

    public override void Post(SendOrPostCallback d, object? state) => _ready.Enqueue((d, state));

    public override void Send(SendOrPostCallback d, object? state) =>
        throw new NotSupportedException("The code under simulation must not block a thread.");

    /// <summary>Ends the step. The actor goes on when it is drawn, or never if it dies.</summary>
    public Task PauseAsync()
    {
        var actor = _current.Value ?? throw new InvalidOperationException("Only an actor can pause.");
        var wake = new TaskCompletionSource();
        if (!actor.IsDead)
        {
            _paused.Add((actor, wake));
        }

        return wake.Task;
    }

    /// <summary>Runs code as an actor. It makes its first step at once.</summary>
    public async Task<T> RunAsAsync<T>(Actor actor, Func<Task<T>> code)
    {
        _current.Value = actor;
        return await code();
    }

    /// <summary>Makes one step of one actor. Returns false if no actor is left.</summary>
    /// <param name="starve">The probability that the actor that paused last goes on, while all others wait.</param>
    public bool Step(double starve)
    {
        _paused.RemoveAll(paused => paused.Actor.IsDead);
        if (_paused.Count == 0)
        {
            return false;
        }

        var index = starve > 0 && random.NextDouble() < starve ? _paused.Count - 1 : random.Next(_paused.Count);
        var (actor, wake) = _paused[index];
        _paused.RemoveAt(index);
        Fingerprint = (Fingerprint * 31) + index + (actor.Name.Length * 7);
        wake.SetResult();
        Drain();
        return true;
    }

    /// <summary>Runs all continuations that need not wait.</summary>
    public void Drain()
    {
        while (_ready.TryDequeue(out var ready))
        {
            ready.Callback(ready.State);
        }
    }

    /// <summary>Runs code that belongs to no actor, such as a read of a real store, to its end.</summary>
    public static T Outside<T>(Func<ValueTask<T>> code)
    {
        var context = Current;
        SetSynchronizationContext(null);
        try
        {
            var task = code();
            return task.IsCompletedSuccessfully ? task.Result : task.AsTask().GetAwaiter().GetResult();
        }
        finally
        {
            SetSynchronizationContext(context);
        }
    }
}
