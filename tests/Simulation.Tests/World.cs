using System.Text;
using Granary.Grains;
using Granary.Grains.GarbageCollection;
using Granary.Grains.Repositories;
using Granary.Protocol;
using Granary.Storage.Blobs;
using Granary.Storage.Partitions;
using Microsoft.Extensions.Options;

namespace Granary.Simulation.Tests;

/// <summary>The protocol has violated an invariant.</summary>
/// <param name="message">The step, and the violation.</param>
/// <param name="isLoss">Whether needed content is missing. Otherwise garbage is left.</param>
public sealed class ViolationException(string message, bool isLoss) : Exception(message)
{
    public bool IsLoss => isLoss;
}

/// <summary>
/// One run. Clients push, mount, delete, move tags and undo that, and collections run. Activations die, are doubled, and have clocks that
/// differ. Commits fail before and after they take effect. Calls are late, and answers are lost. After every step that changed rows or
/// objects, the invariants are checked. At the end nothing fails any more, and all garbage has to go.
/// </summary>
internal sealed class World
{
    // Short beside the fixed hour of a seal and the day of a tombstone, so that a few hundred steps pass all of them.
    private static readonly LifetimeOptions Lifetimes = new()
    {
        LinkGrace = TimeSpan.FromMinutes(30),
        BlobGrace = TimeSpan.FromMinutes(10),
        FirstLease = TimeSpan.FromMinutes(20),
        UploadExpiry = TimeSpan.FromMinutes(40),
        DeletionDelay = TimeSpan.FromMinutes(10),
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
        Collector = new GarbageCollector(
            Cluster,
            Store,
            Blobs,
            Clock(TimeSpan.Zero),
            new CollectionThrottle(Clock(TimeSpan.Zero)),
            Options.Create(History));
        Log = new LogInvariants(this);
        Orders = new OrderInvariants(this);
        Gateways = OthersMayWrite
            ? [new SimulatedGateway(this, TimeSpan.Zero), new SimulatedGateway(this, TimeSpan.FromMinutes(10))]
            : [new SimulatedGateway(this, TimeSpan.Zero)];
        _clients = new Clients(this);
        _invariants = new Invariants(this);
        FailedCommits = Draw(0, 0.01, 0.03);
        LateCalls = Ablation?.HasManyLateCalls == true ? 0.7 : Draw(0, 0.01, 0.04);
        LostAnswers = Draw(0, 0.01);
        LateCommands = OthersMayWrite ? Draw(0.02, 0.1, 0.5) : LateCalls;
        LostCommandAnswers = OthersMayWrite ? Draw(0.02, 0.1, 0.3) : LostAnswers;
        DuplicateActivations = Draw(0, 0.02, 0.2);
    }

    /// <summary>How long repositories keep their logs: the default.</summary>
    public static HistoryOptions History { get; } = new();

    public Random Random { get; }

    public Scheduler Scheduler { get; }

    public SimulatedStore Store { get; }

    public SimulatedBlobs Blobs { get; }

    public SimulatedCluster Cluster { get; }

    public GarbageCollector Collector { get; }

    /// <summary>The rule that is switched off; null if all are on.</summary>
    public Ablation? Ablation { get; }

    /// <summary>The clients, whose acknowledged manifests the checks need.</summary>
    public Clients Clients => _clients;

    /// <summary>The invariants of the logs. The store tells them of each commit, and clients of each acknowledgment.</summary>
    public LogInvariants Log { get; }

    /// <summary>The invariants of the rule of order.</summary>
    public OrderInvariants Orders { get; }

    /// <summary>The gateways. The clocks of two of them are 10 minutes apart.</summary>
    public IReadOnlyList<SimulatedGateway> Gateways { get; }

    /// <summary>Whether calls, commits and activations may fail.</summary>
    public bool IsWild { get; private set; } = true;

    /// <summary>Whether the store commits in the order of arrival, so that commits can depend on others.</summary>
    public bool KeepsOrder { get; }

    /// <summary>
    /// Whether the store is that of a cluster: other processes may write to it, and its commits take effect at any later time, also after
    /// the death of the activation that made them.
    /// </summary>
    public bool OthersMayWrite => !KeepsOrder;

    public double FailedCommits { get; }

    /// <summary>How often a copy of a command comes long after the command, which may have been answered.</summary>
    public double LateCommands { get; }

    public double LostCommandAnswers { get; }

    public double LateCalls { get; }

    public double LostAnswers { get; }

    public double DuplicateActivations { get; }

    public DateTimeOffset Now => _now;

    /// <summary>Records what happens, to understand a failing run; null if it is not recorded.</summary>
    public List<string>? Trace { get; init; }

    public void Note(string what) => Trace?.Add($"{_now:MM-dd HH:mm} {Scheduler.CurrentName}: {what}");

    /// <summary>The contents that clients push. Their digests share two shards, and one is small enough to be a row.</summary>
    public static IReadOnlyList<(byte[] Bytes, Digest Digest, bool IsSmall)> Contents { get; } =
        [Content(0, "a", false), Content(0, "b", false), Content(1, "c", false), Content(1, "d", true)];

    public static IReadOnlyList<string> Repositories { get; } = ["a/one", "b/two"];

    /// <summary>
    /// Returns a clock that differs as much as those of real machines do, or more. By its timestamps no decision waits long (overload).
    /// </summary>
    public TimeProvider SkewedClock() =>
        Clock(TimeSpan.FromMinutes(IsWild ? Skews[Random.Next(Skews.Length)] : 0), keepsTimestamps: true);

    /// <summary>Returns a clock.</summary>
    /// <param name="skew">How far it is ahead.</param>
    /// <param name="keepsTimestamps">Whether its timestamps do not follow the jumps of the run's time.</param>
    public TimeProvider Clock(TimeSpan skew, bool keepsTimestamps = false) => new SimulatedClock(this, skew, keepsTimestamps);

    /// <summary>Starts an actor that runs beside all others.</summary>
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
                // The actor is told to retry, and gives up.
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
    private long _timestamps;

    /// <summary>Makes the run.</summary>
    /// <exception cref="ViolationException">An invariant was violated.</exception>
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
                // A commit takes some time, but not hours (LifetimeOptions.BeginMargin).
                var (jumps, rarity) = Ablation?.NeedsLateCalls == true ? (JumpsWithinDeadline, 6) : (LongJumps, 25);
                var isLong = Random.Next(rarity) == 0 && Store.Committing == 0;
                _now += TimeSpan.FromMinutes(isLong ? jumps[Random.Next(jumps.Length)] : Jumps[Random.Next(Jumps.Length)]);
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
                KillOne(actors);
            }

            Check($"step {step}");
        }

        if (Random.Next(2) == 0)
        {
            // All callers die, and in half of these runs the whole cluster.
            actors.ForEach(actor => actor.Die());
            if (Random.Next(2) == 0)
            {
                Cluster.KillAll();
            }
        }

        Finish("end");
    }

    /// <summary>Nothing fails any more and no client comes. Time goes on, and collections run.</summary>
    private void RunInPeace()
    {
        IsWild = false;
        for (var round = 0; round < 12; round++)
        {
            // The logs are kept for the first ten rounds, of four months. After the last one their retention is over.
            _now += round < 8 ? TimeSpan.FromHours(9) : TimeSpan.FromDays(round < 10 ? 60 : 100);
            Cluster.KillAll();
            Spawn("peace", async () => await _clients.CollectEverythingAsync());
            Finish("peace " + round);
            Log.CheckIsScheduled("peace " + round);
        }

        _invariants.CheckNothingIsLeft();
    }

    private void KillOne(List<Actor> actors)
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
                throw new ViolationException($"{where}: the run does not end.", isLoss: false);
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

    /// <summary>Restores the flow of execution contexts until it is disposed.</summary>
    private sealed class AnyContext : IDisposable
    {
        public AnyContext() => ExecutionContext.RestoreFlow();

        public void Dispose() => ExecutionContext.SuppressFlow();
    }

    /// <summary>A timer that cannot be changed, and fires although it was stopped, as one that was stopped too late.</summary>
    private sealed class StartedTimer : ITimer
    {
        public bool Change(TimeSpan dueTime, TimeSpan period) => true;

        public void Dispose()
        {
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }

    private sealed class SimulatedClock(World world, TimeSpan skew, bool keepsTimestamps) : TimeProvider
    {
        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => keepsTimestamps ? ++world._timestamps : world._now.UtcTicks;

        public override DateTimeOffset GetUtcNow()
        {
            // Each reading differs from all before.
            world._now += TimeSpan.FromTicks(1);
            return world._now + skew;
        }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            // Code that waits for a timer suppresses the flow of its context, but the actor of the timer needs one.
            using var context = ExecutionContext.IsFlowSuppressed() ? new AnyContext() : null;

            // The timer fires after any number of steps: a short delay may take long.
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
