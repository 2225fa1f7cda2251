using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Operations;
using Granary.Grains.Tests.Cluster;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Grains.Tests.Operations;

/// <summary>Operations are kept, worked on by one at a time, and outlive whoever works on them.</summary>
public sealed class OperationTests : GrainTest
{
    private static readonly Guid One = Guid.NewGuid();
    private static readonly Guid Other = Guid.NewGuid();

    private IOperationsGrain Board => Cluster.Grains.GetGrain<IOperationsGrain>(0);

    private OperationSignal Signal => Cluster.Silos[0].ServiceProvider.GetRequiredService<OperationSignal>();

    [Fact]
    public async Task Whoever_takes_over_goes_on_after_the_last_step_and_the_first_is_told_so()
    {
        var started = await StartAsync(OperationKind.Collection);
        Assert.Equal(started.Id, (await Board.Claim(One, default))!.Id);
        Assert.Null(await Board.Claim(Other, default));
        Assert.True(await Board.Report(started.Id, One, Progress(3), default));
        Time.Advance(TimeSpan.FromSeconds(29));
        Assert.Null(await Board.Claim(Other, default));

        Time.Advance(TimeSpan.FromSeconds(2));
        var taken = await Board.Claim(Other, default);

        Assert.Equal((started.Id, 3, OperationState.Running), (taken!.Id, taken.Progress.Done, taken.State));
        Assert.False(await Board.Report(started.Id, One, Progress(9), default));
        await Board.Finish(started.Id, One, Progress(9), "late", default);
        Assert.Equal((OperationState.Running, 3), await StateAsync(started.Id));
        await Board.Finish(started.Id, Other, Progress(5), error: null, default);
        Assert.Equal((OperationState.Done, 5), await StateAsync(started.Id));
        Assert.Null(await Board.Claim(One, default));
    }

    [Fact]
    public async Task One_that_was_cancelled_stops_at_its_next_step_also_if_its_worker_is_dead()
    {
        var waiting = await StartAsync(OperationKind.Scrub);
        Assert.Equal(OperationState.Cancelled, (await Board.Cancel(waiting.Id, default))!.State);

        var running = await StartAsync(OperationKind.Scrub);
        await Board.Claim(One, default);
        Assert.Equal(OperationState.Cancelling, (await Board.Cancel(running.Id, default))!.State);
        Assert.False(await Board.Report(running.Id, One, Progress(1), default));

        // Its worker does not hear that; another one ends it.
        Time.Advance(TimeSpan.FromMinutes(1));
        using var worker = Worker(new Steps());
        await worker.StartAsync(default);
        await UntilAsync(running.Id, operation => operation.State == OperationState.Cancelled);
        await worker.StopAsync(default);

        Assert.Equal(OperationState.Cancelled, (await Board.Cancel(running.Id, default))!.State);
        Assert.Null(await Board.Cancel("none", default));
    }

    [Fact]
    public async Task A_worker_that_stops_leaves_the_rest_to_the_next_one()
    {
        var started = await StartAsync(OperationKind.Collection);
        var (before, after) = (new Steps { Last = 4 }, new Steps());
        using (var worker = Worker(before))
        {
            await worker.StartAsync(default);
            await UntilAsync(started.Id, operation => operation.Progress.Done >= 4);
            await worker.StopAsync(default);
        }

        Assert.Equal(OperationState.Running, (await StateAsync(started.Id)).State);
        Time.Advance(TimeSpan.FromMinutes(1));
        using var next = Worker(after);
        await next.StartAsync(default);
        await UntilAsync(started.Id, operation => operation.IsOver);
        await next.StopAsync(default);

        Assert.Equal((OperationState.Done, 10), await StateAsync(started.Id));
        Assert.Equal((0, 4), (before.First, after.First));
        Assert.Equal(10, (await Board.Find(started.Id, default))!.Progress.Counts["steps"]);
    }

    [Fact]
    public async Task The_worker_of_the_silo_that_was_asked_does_not_wait_for_its_clock()
    {
        using var worker = Worker(new Steps(), new FakeTimeProvider());
        await worker.StartAsync(default);
        var started = await StartAsync(OperationKind.Collection);
        await UntilAsync(started.Id, operation => operation.State == OperationState.Done);
        await worker.StopAsync(default);
    }

    [Fact]
    public async Task An_operation_that_another_silo_was_asked_for_is_found_when_the_clock_says_so()
    {
        var time = new FakeTimeProvider();
        using var worker = new OperationWorker(Cluster.Grains, [new Steps()], new OperationSignal(), time, NullLogger<OperationWorker>.Instance);
        await worker.StartAsync(default);
        var started = await StartAsync(OperationKind.Collection);
        Assert.Equal(OperationState.Waiting, (await StateAsync(started.Id)).State);

        await UntilAsync(started.Id, operation =>
        {
            time.Advance(TimeSpan.FromSeconds(1));
            return operation.State == OperationState.Done;
        });
        await worker.StopAsync(default);
    }

    [Fact]
    public async Task A_failure_is_said_and_the_next_one_may_start()
    {
        var started = await StartAsync(OperationKind.Collection);
        using var worker = Worker(new Steps { Error = "The moon is full." });
        await worker.StartAsync(default);
        await UntilAsync(started.Id, operation => operation.IsOver);
        await worker.StopAsync(default);

        var failed = await Board.Find(started.Id, default);
        Assert.Equal((OperationState.Failed, "The moon is full."), (failed!.State, failed.Error));
        Assert.True((await Board.Start(new OperationRequest { Kind = OperationKind.Collection }, default)).IsNew);
    }

    [Fact]
    public async Task One_of_a_kind_is_under_way_at_a_time_and_no_more_often_than_asked_for()
    {
        var first = await StartAsync(OperationKind.Collection);
        var second = await Board.Start(new OperationRequest { Kind = OperationKind.Collection }, default);
        Assert.Equal((first.Id, false), (second.Operation.Id, second.IsNew));
        await StartAsync(OperationKind.Scrub);
        await Board.Cancel(first.Id, default);

        var daily = new OperationRequest { Kind = OperationKind.Collection, UntaggedAge = TimeSpan.FromDays(9), AtMostEvery = TimeSpan.FromDays(1) };
        var today = await Board.Start(daily, default);
        Assert.True(today.IsNew);
        await Board.Cancel(today.Operation.Id, default);
        Assert.False((await Board.Start(daily, default)).IsNew);
        Time.Advance(TimeSpan.FromHours(25));
        Assert.True((await Board.Start(daily, default)).IsNew);
    }

    [Fact]
    public async Task Old_ones_are_forgotten_and_the_newest_come_first()
    {
        for (var i = 0; i < 60; i++)
        {
            await Board.Cancel((await StartAsync(OperationKind.Deletion)).Id, default);
        }

        var last = await StartAsync(OperationKind.Deletion);
        var list = await Board.List(kind: null, limit: 1000, default);

        Assert.Equal(50, list.Length);
        Assert.Equal(last.Id, list[0].Id);
        Assert.Equal(list.OrderByDescending(operation => operation.Created).Select(operation => operation.Id), list.Select(operation => operation.Id));
        Assert.Empty(await Board.List(OperationKind.Backup, 10, default));
    }

    private async Task<OperationStatus> StartAsync(OperationKind kind)
    {
        var started = await Board.Start(new OperationRequest { Kind = kind }, default);
        Assert.True(started.IsNew);
        return started.Operation;
    }

    private async Task<(OperationState State, long Done)> StateAsync(string id) => await Board.Find(id, default) is { } operation ? (operation.State, operation.Progress.Done) : default;

    private async Task UntilAsync(string id, Func<OperationStatus, bool> condition)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        for (var i = 0; i < 3000; i++)
        {
            if (condition((await Board.Find(id, default))!))
            {
                return;
            }

            await timer.WaitForNextTickAsync();
        }

        Assert.Fail("It never happened.");
    }

    private OperationWorker Worker(Steps steps, TimeProvider? time = null) => new(Cluster.Grains, [steps], Signal, time ?? Time, NullLogger<OperationWorker>.Instance);

    private static OperationProgress Progress(long done) => new() { Done = done, Total = 10, Counts = new Dictionary<string, long>(), Findings = [] };

    /// <summary>Ten steps that count themselves.</summary>
    private sealed class Steps : IOperation
    {
        public OperationKind Kind => OperationKind.Collection;

        /// <summary>Before which step it waits for ever.</summary>
        public int? Last { get; init; }

        public string? Error { get; init; }

        public long? First { get; private set; }

        public async Task RunAsync(OperationRun run, CancellationToken cancellationToken)
        {
            First = run.Done;
            run.Total = 10;
            while (run.Done < 10)
            {
                if (Error is not null)
                {
                    throw new OperationFailedException(Error);
                }

                if (run.Done == Last)
                {
                    await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
                }

                run.Add("steps", 1);
                await run.StepAsync();
            }
        }
    }
}
