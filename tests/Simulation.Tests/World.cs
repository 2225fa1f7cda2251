using System.Text;
using Granary.Grains;
using Granary.Grains.GarbageCollection;
using Granary.Protocol;
using Granary.Storage.Blobs;
using Granary.Storage.Partitions;

namespace Granary.Simulation.Tests;

/// <summary>The protocol does not keep what it promises.</summary>
/// <param name="message">Where, and what.</param>
/// <param name="isLoss">Whether something is missing that somebody needs; else something is left that nobody needs.</param>
public sealed class ViolationException(string message, bool isLoss) : Exception(message)
{
    public bool IsLoss => isLoss;
}

/// <summary>
/// One run: clients push, mount, tag and delete; collections run; activations die, are doubled and see other clocks; commits fail before and after they are done; calls come late or their
/// answers not at all. After every step that changed something, everything that must always be true is checked. In the end there is peace, and everything that is garbage must go.
/// </summary>
internal sealed class World
{
    // Small against the fixed hour of a seal and day of a tombstone, so that a few hundred steps see all of it.
    private static readonly LifetimeOptions Lifetimes = new()
    {
        LinkGrace = TimeSpan.FromMinutes(30),
        BlobGrace = TimeSpan.FromMinutes(10),
        FirstLease = TimeSpan.FromMinutes(20),
        UploadExpiry = TimeSpan.FromMinutes(40),
        ObjectHold = TimeSpan.FromMinutes(10),
    };

    private static readonly int[] Jumps = [0, 0, 0, 1, 1, 5];
    private static readonly int[] LongJumps = [1, 15, 40, 90, 1600];
    private static readonly int[] JumpsWithinDeadline = [1, 15, 40];
    private static readonly int[] Skews = [0, 0, 0, 0, 2, -2, 20, -20];

    private readonly Clients _clients;
    private readonly Invariants _invariants;
    private readonly int _steps;
    private DateTimeOffset _now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public World(int seed, IPartitionStore rows, Func<TimeProvider, IBlobStore> blobs, string? withoutRule = null, int steps = 1200)
    {
        Random = new Random(seed);
        _steps = steps;
        KeepsOrder = seed % 2 == 1;
        Ablation = withoutRule is null ? null : new Ablation(this, withoutRule);
        Scheduler = new Scheduler(Random);
        Store = new SimulatedStore(this, rows);
        Blobs = new SimulatedBlobs(this, blobs(Clock(TimeSpan.Zero)));
        Cluster = new SimulatedCluster(this, Store, Lifetimes, new CollectionOptions());
        Collector = new GarbageCollector(Cluster, Blobs, Clock(TimeSpan.Zero), new CollectionThrottle(Clock(TimeSpan.Zero)));
        _clients = new Clients(this);
        _invariants = new Invariants(this);
        FailedCommits = Draw(0, 0.01, 0.03);
        LateCalls = Ablation?.NeedsLateCalls == true ? 0.7 : Draw(0, 0.01, 0.04);
        LostAnswers = Draw(0, 0.01);
        DuplicateActivations = Draw(0, 0.02, 0.2);
    }

    public Random Random { get; }

    public Scheduler Scheduler { get; }

    public SimulatedStore Store { get; }

    public SimulatedBlobs Blobs { get; }

    public SimulatedCluster Cluster { get; }

    public GarbageCollector Collector { get; }

    /// <summary>The rule that is switched off; null: all are on.</summary>
    public Ablation? Ablation { get; }

    /// <summary>What clients were promised, for the checks.</summary>
    public Clients Clients => _clients;

    /// <summary>Whether anything may fail.</summary>
    public bool IsWild { get; private set; } = true;

    /// <summary>Whether the store commits in the order of arrival, so that commits can rest on others.</summary>
    public bool KeepsOrder { get; }

    public double FailedCommits { get; }

    public double LateCalls { get; }

    public double LostAnswers { get; }

    public double DuplicateActivations { get; }

    public DateTimeOffset Now => _now;

    /// <summary>Takes down what happens, to understand a failing run; null: nobody reads it.</summary>
    public List<string>? Trace { get; init; }

    public void Note(string what) => Trace?.Add($"{_now:MM-dd HH:mm} {Scheduler.CurrentName}: {what}");

    /// <summary>The contents that clients push. Their digests share two shards, and one is small enough to be a row.</summary>
    public static IReadOnlyList<(byte[] Bytes, Digest Digest, bool IsSmall)> Contents { get; } =
        [Content(0, "a", false), Content(0, "b", false), Content(1, "c", false), Content(1, "d", true)];

    public static IReadOnlyList<string> Repositories { get; } = ["a/one", "b/two"];

    /// <summary>A clock that goes wrong by as much as the ones of real machines, and more.</summary>
    public TimeProvider SkewedClock() => Clock(TimeSpan.FromMinutes(IsWild ? Skews[Random.Next(Skews.Length)] : 0));

    public TimeProvider Clock(TimeSpan skew) => new SimulatedClock(this, skew);

    /// <summary>Starts something that runs beside everything else.</summary>
    public Actor Spawn(string name, Func<Task> code)
    {
        var actor = new Actor(name);
        _ = Scheduler.RunAsAsync(actor, async () =>
        {
            try
            {
                await code();
            }
            catch (Exception e) when (IsWild && Clients.IsExpected(e))
            {
                // It is told to try again, and does not.
            }
            catch (Exception e)
            {
                _failure ??= e;
            }

            actor.Die();
            return true;
        });
        return actor;
    }

    private Exception? _failure;

    /// <summary>Makes the run.</summary>
    /// <exception cref="ViolationException">A promise was broken.</exception>
    public void Run()
    {
        var before = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(Scheduler);
        try
        {
            RunWild();
            RunInPeace();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(before);
        }
    }

    private void RunWild()
    {
        var actors = new List<Actor>();
        var (deaths, crowd, starve) = (Draw(0, 0.002, 0.01), (int)Draw(2, 4, 8), Draw(0, 0, 0.3));
        for (var step = 0; step < _steps; step++)
        {
            if (Random.Next(8) == 0)
            {
                // A commit takes a while, but no hours (LifetimeOptions.BeginMargin).
                var (jumps, rarity) = Ablation?.NeedsLateCalls == true ? (JumpsWithinDeadline, 6) : (LongJumps, 25);
                _now += TimeSpan.FromMinutes(Random.Next(rarity) == 0 && Store.Committing == 0 ? jumps[Random.Next(jumps.Length)] : Jumps[Random.Next(Jumps.Length)]);
            }

            actors.RemoveAll(actor => actor.IsDead);
            if (actors.Count < crowd && (actors.Count == 0 || Random.Next(4) == 0))
            {
                actors.Add(_clients.SpawnAny());
                Scheduler.Drain();
            }

            Scheduler.Step(starve);
            if (Random.NextDouble() < deaths)
            {
                KillSomebody(actors);
            }

            Check($"step {step}");
        }

        if (Random.Next(2) == 0)
        {
            // The whole cluster dies, or just everybody who was at work.
            actors.ForEach(actor => actor.Die());
            if (Random.Next(2) == 0)
            {
                Cluster.KillAll();
            }
        }

        Finish("end");
    }

    /// <summary>Nothing fails any more and nobody comes; time goes on, and collections run.</summary>
    private void RunInPeace()
    {
        IsWild = false;
        for (var round = 0; round < 12; round++)
        {
            _now += TimeSpan.FromHours(round < 8 ? 9 : 24 * 60);
            Cluster.KillAll();
            Spawn("peace", async () => await _clients.CollectEverythingAsync());
            Finish("peace " + round);
        }

        _invariants.CheckNothingIsLeft();
    }

    private void KillSomebody(List<Actor> actors)
    {
        var activations = Cluster.Activations;
        if (Random.Next(3) == 0 && activations.Count > 0)
        {
            SimulatedCluster.Kill(activations[Random.Next(activations.Count)]);
        }
        else if (actors.Count > 0)
        {
            actors[Random.Next(actors.Count)].Die();
        }

        Scheduler.Drain();
    }

    private void Finish(string where)
    {
        Scheduler.Drain();
        for (var steps = 0; Scheduler.Step(starve: 0); steps++)
        {
            Check(where);
            if (steps > 200_000)
            {
                throw new ViolationException($"{where}: it never ends.", isLoss: false);
            }
        }

        Check(where);
    }

    private void Check(string where)
    {
        Ablation?.AfterStep();
        if (_failure is { } failure)
        {
            throw failure is ViolationException ? failure : new ViolationException($"{where}: {failure}", isLoss: false);
        }

        if (Store.HasChanged || Blobs.HasChanged)
        {
            Store.HasChanged = Blobs.HasChanged = false;
            _invariants.Check(where);
        }
    }

    private double Draw(params double[] choices) => choices[Random.Next(choices.Length)];

    private static (byte[], Digest, bool) Content(int shard, string name, bool isSmall)
    {
        for (var i = 0; ; i++)
        {
            var bytes = Encoding.ASCII.GetBytes($"{name}{i}");
            var digest = Digest.Compute(DigestAlgorithm.Sha256, bytes);
            if (digest.FirstByte == shard)
            {
                return (bytes, digest, isSmall);
            }
        }
    }

    /// <summary>Lets contexts flow again for a moment.</summary>
    private sealed class AnyContext : IDisposable
    {
        public AnyContext() => ExecutionContext.RestoreFlow();

        public void Dispose() => ExecutionContext.SuppressFlow();
    }

    /// <summary>A timer that is never changed and comes although it was stopped, as one that was stopped too late.</summary>
    private sealed class StartedTimer : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => true;

        public void Dispose()
        {
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private sealed class SimulatedClock(World world, TimeSpan skew) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow()
        {
            // No two moments are the same.
            world._now += TimeSpan.FromTicks(1);
            return world._now + skew;
        }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            // Whoever waits for a timer keeps its own context from it, and an actor needs one.
            using var context = ExecutionContext.IsFlowSuppressed() ? new AnyContext() : null;

            // It comes sometime: what is meant to take a moment may take long.
            world.Spawn("timer", async () =>
            {
                for (var pauses = world.Random.Next(60); pauses > 0; pauses--)
                {
                    await world.Scheduler.PauseAsync();
                }

                callback(state);
            });
            return new StartedTimer();
        }
    }
}
