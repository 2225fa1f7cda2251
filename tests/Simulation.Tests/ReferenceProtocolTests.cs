using System.Collections.Concurrent;
using System.Globalization;
using Granary.Storage.Blobs.FileSystem;
using Granary.Storage.Partitions.Memory;
using Granary.Storage.Partitions.Sqlite;
using Granary.Testing;
using Xunit.Abstractions;

namespace Granary.Simulation.Tests;

/// <summary>
/// The reference protocol under random schedules. <c>GRANARY_SCHEDULES</c> sets their number, for a long run, and <c>GRANARY_SEED</c> the
/// first seed. To repeat a failing run, set its seed and one schedule.
/// </summary>
public sealed class ReferenceProtocolTests(ITestOutputHelper output)
{
    // Some violations appear once in thousands of schedules. These seeds are just before the first one that shows the violation, so that
    // the test is fast. After a change of the code that seed may be another one, and the test searches on from here.
    private static readonly Dictionary<string, int> NotBefore = new(StringComparer.Ordinal)
    {
        ["tomb"] = 9940,
        ["own"] = 5800,
        ["hint"] = 3200,
        ["late"] = 2380,
        ["ren"] = 9940,
        ["catalog-guard"] = 2685,
    };

    private static int Schedules { get; } = Setting("GRANARY_SCHEDULES", 3000);

    private static int FirstSeed { get; } = Setting("GRANARY_SEED", 0);

    [Fact]
    public void Under_any_schedule_no_content_is_lost_and_no_garbage_is_left()
    {
        var violations = Run(FirstSeed, Schedules, rule: null, stopAtFirst: false, out var summary, out var renouncedEarly);
        output.WriteLine(summary);
        Assert.True(renouncedEarly > 0, "No object of a second uploader was renounced before its session ended.");
        var first = string.Join('\n', violations.OrderBy(pair => pair.Key).Take(40));
        Assert.True(violations.IsEmpty, $"{violations.Count} of {Schedules} schedules: {first}");
    }

    /// <summary>The same with SQLite and files. Fewer schedules, since each commit syncs a disk.</summary>
    [Fact]
    public void The_stores_of_the_real_program_make_the_same_runs_as_those_in_memory()
    {
        for (var seed = FirstSeed; seed < FirstSeed + Math.Max(20, Schedules / 100); seed++)
        {
            using var directory = new TemporaryDirectory();
            using var rows = new SqlitePartitionStore(directory.Combine("rows.db"));
            var world = new World(seed, rows, time => FileSystemBlobStore.Open(directory.Path, time));
            world.Run();
            var inMemory = Make(seed, rule: null);
            inMemory.Run();
            Assert.Equal((inMemory.Scheduler.Fingerprint, inMemory.Store.Commits), (world.Scheduler.Fingerprint, world.Store.Commits));
        }
    }

    public static TheoryData<string> Rules => [.. Ablation.Rules];

    [Theory]
    [MemberData(nameof(Rules))]
    public void Without_any_one_of_its_rules_the_protocol_fails(string rule)
    {
        var violations = Run(NotBefore.GetValueOrDefault(rule), count: 100_000, rule, stopAtFirst: true, out var summary, out _);
        output.WriteLine(summary);
        Assert.NotEmpty(violations);
        output.WriteLine(violations.First().ToString());
    }

    [Fact]
    public void The_same_seed_makes_the_same_run()
    {
        Assert.Equal(Fingerprint(7), Fingerprint(7));
        Assert.NotEqual(Fingerprint(7), Fingerprint(8));

        static (long, long) Fingerprint(int seed)
        {
            var world = Make(seed, rule: null);
            world.Run();
            return (world.Scheduler.Fingerprint, world.Store.Commits);
        }
    }

    /// <summary>Writes the trace of one run to a file: <c>GRANARY_TRACE=FILE</c> with <c>GRANARY_SEED</c>.</summary>
    [Fact]
    public void A_run_can_be_looked_at()
    {
        var world = Make(FirstSeed, Environment.GetEnvironmentVariable("GRANARY_RULE"), trace: []);
        try
        {
            world.Run();
        }
        catch (ViolationException e)
        {
            world.Note(e.Message);
        }

        Assert.NotEmpty(world.Trace!);
        if (Environment.GetEnvironmentVariable("GRANARY_TRACE") is { } file)
        {
            File.WriteAllLines(file, world.Trace!);
        }
    }

    private static ConcurrentDictionary<int, string> Run(
        int firstSeed,
        int count,
        string? rule,
        bool stopAtFirst,
        out string summary,
        out long renouncedEarly)
    {
        var violations = new ConcurrentDictionary<int, string>();
        long runs = 0, commits = 0, refused = 0, acknowledged = 0, moves = 0, early = 0;
        var next = firstSeed - 1;

        // Dedicated threads: a run blocks until its store answers, and the tasks of the store need the threads of the pool.
        var threads = Enumerable.Range(0, Environment.ProcessorCount).Select(_ => new Thread(RunSome)).ToList();
        threads.ForEach(thread => thread.Start());
        threads.ForEach(thread => thread.Join());
        summary = $"{rule ?? "all rules"}: {runs} schedules, {violations.Count} violations; {commits} commits, {refused} refused as stale, "
            + $"{acknowledged} manifests and {moves} moves of tags acknowledged, {early} duplicates renounced early";
        renouncedEarly = early;
        return violations;

        void RunSome()
        {
            while (Interlocked.Increment(ref next) is var seed && seed < firstSeed + count && !(stopAtFirst && !violations.IsEmpty))
            {
                RunOne(seed);
            }
        }

        void RunOne(int seed)
        {
            var world = Make(seed, rule);
            try
            {
                world.Run();
            }
            catch (ViolationException e) when (e.IsLoss || world.Ablation?.IsSeenByLoss != true)
            {
                violations[seed] = e.Message;
            }
            catch (ViolationException)
            {
                // This rule prevents losses. Garbage that is left is not its violation.
            }

            Interlocked.Increment(ref runs);
            Interlocked.Add(ref commits, world.Store.Commits);
            Interlocked.Add(ref refused, world.Store.Refused);
            Interlocked.Add(ref early, world.Cluster.RenouncedEarly);
            Interlocked.Add(ref acknowledged, world.Clients.Acknowledged);
            Interlocked.Add(ref moves, world.Log.Acknowledged);
        }
    }

    private static World Make(int seed, string? rule, List<string>? trace = null) =>
        new(seed, new MemoryPartitionStore(), time => new MemoryBlobStore(time), rule) { Trace = trace };

    private static int Setting(string name, int otherwise) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value)
            ? value
            : otherwise;
}
