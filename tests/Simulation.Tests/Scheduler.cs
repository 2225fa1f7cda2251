namespace Granary.Simulation.Tests;

/// <summary>Something that runs in steps and can die between any two of them: a client, an activation of a grain, a collection.</summary>
internal sealed class Actor(string name)
{
    private readonly TaskCompletionSource _death = new();

    public string Name => name;

    public bool IsDead => _death.Task.IsCompleted;

    /// <summary>Ends when the actor dies: whoever waits for its answer notices.</summary>
    public Task Death => _death.Task;

    public void Die() => _death.TrySetResult();
}

/// <summary>
/// Runs real asynchronous code on one thread, one step after the other, in an order that is drawn from a seed. A step ends wherever the code waits for
/// something of the outside: <see cref="PauseAsync"/>. The same seed makes the same run.
/// </summary>
internal sealed class Scheduler(Random random) : SynchronizationContext
{
    private readonly Queue<(SendOrPostCallback Callback, object? State)> _ready = new();
    private readonly List<(Actor Actor, TaskCompletionSource Wake)> _paused = [];
    private readonly AsyncLocal<Actor?> _current = new();

    /// <summary>A number that differs if two runs did: from all choices made so far.</summary>
    public long Fingerprint { get; private set; } = 17;

    /// <summary>Who makes the step.</summary>
    public string CurrentName => _current.Value?.Name ?? "nobody";

    public override void Post(SendOrPostCallback d, object? state) => _ready.Enqueue((d, state));

    public override void Send(SendOrPostCallback d, object? state) => throw new NotSupportedException("Nothing in here waits for a thread.");

    /// <summary>Ends the step. The actor goes on when it is drawn, or never.</summary>
    public Task PauseAsync()
    {
        var actor = _current.Value ?? throw new InvalidOperationException("Only actors pause.");
        var wake = new TaskCompletionSource();
        if (!actor.IsDead)
        {
            _paused.Add((actor, wake));
        }

        return wake.Task;
    }

    /// <summary>Runs code as an actor; its first step is made at once.</summary>
    public async Task<T> RunAsAsync<T>(Actor actor, Func<Task<T>> code)
    {
        _current.Value = actor;
        return await code();
    }

    /// <summary>Makes one step of somebody; false if everybody is done.</summary>
    /// <param name="starve">How likely it is that the one who paused last goes on, and all others have to wait.</param>
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

    /// <summary>Runs what does not have to wait.</summary>
    public void Drain()
    {
        while (_ready.TryDequeue(out var ready))
        {
            ready.Callback(ready.State);
        }
    }

    /// <summary>Runs code that belongs to no actor, such as a look into a real store, to its end.</summary>
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
