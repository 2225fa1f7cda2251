using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Operations;
using Granary.Grains.Tests.Cluster;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Grains.Tests.Operations;

/// <summary>Operations are durable, one worker at a time runs each, and another one continues if it dies.</summary>
public sealed class OperationTests : GrainTest
{
    private static readonly Guid One = Guid.NewGuid();
    private static readonly Guid Other = Guid.NewGuid();

    private IOperationsGrain Operations => Cluster.Grains.GetGrain<IOperationsGrain>(0);

    private OperationSignal Signal => Cluster.Silos[0].ServiceProvider.GetRequiredService<OperationSignal>();

    [Fact]
    public async Task A_worker_that_takes_over_continues_after_the_last_step_and_the_first_one_loses_its_claim()
    {
        var started = await StartAsync(OperationKind.Collection);
        Assert.Equal(started.Id, (await Operations.Claim(One, default))!.Id);
        Assert.Null(await Operations.Claim(Other, default));
        Assert.True(await Operations.Report(started.Id, One, Progress(3), default));
        Time.Advance(TimeSpan.FromSeconds(29));
        Assert.Null(await Operations.Claim(Other, default));

        Time.Advance(TimeSpan.FromSeconds(2));
        var taken = await Operations.Claim(Other, default);

        Assert.Equal((started.Id, 3, OperationState.Running), (taken!.Id, taken.Progress.Done, taken.State));
        Assert.False(await Operations.Report(started.Id, One, Progress(9), default));
        await Operations.Finish(started.Id, One, Progress(9), "late", default);
        Assert.Equal((OperationState.Running, 3), await StateAsync(started.Id));
        await Operations.Finish(started.Id, Other, Progress(5), error: null, default);
        Assert.Equal((OperationState.Done, 5), await StateAsync(started.Id));
        Assert.Null(await Operations.Claim(One, default));
    }

    [Fact]
    public async Task A_cancelled_operation_stops_before_its_next_step_even_if_its_worker_is_dead()
    {
        var waiting = await StartAsync(OperationKind.Scrub);
        Assert.Equal(OperationState.Cancelled, (await Operations.Cancel(waiting.Id, default))!.State);

        var running = await StartAsync(OperationKind.Scrub);
        await Operations.Claim(One, default);
        Assert.Equal(OperationState.Cancelling, (await Operations.Cancel(running.Id, default))!.State);
        Assert.False(await Operations.Report(running.Id, One, Progress(1), default));

        // Its worker is dead; another one ends the operation.
        Time.Advance(TimeSpan.FromMinutes(1));
        using var worker = Worker(new Steps());
        await worker.StartAsync(default);
        await UntilAsync(running.Id, operation => operation.State == OperationState.Cancelled);
        await worker.StopAsync(default);

        Assert.Equal(OperationState.Cancelled, (await Operations.Cancel(running.Id, default))!.State);
        Assert.Null(await Operations.Cancel("none", default));
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
        Assert.Equal(10, (await Operations.Find(started.Id, default))!.Progress.Counts["steps"]);
    }

    [Fact]
    public async Task An_operation_of_the_same_silo_starts_without_the_timer()
    {
        using var worker = Worker(new Steps(), new FakeTimeProvider());
        await worker.StartAsync(default);
        var started = await StartAsync(OperationKind.Collection);
        await UntilAsync(started.Id, operation => operation.State == OperationState.Done);
        await worker.StopAsync(default);
    }

    [Fact]
    public async Task The_timer_finds_an_operation_of_another_silo()
    {
        var time = new FakeTimeProvider();
        var signal = new OperationSignal();
        using var worker = new OperationWorker(Cluster.Grains, [new Steps()], signal, time, NullLogger<OperationWorker>.Instance);
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
    public async Task A_failed_operation_says_why_and_the_next_one_may_start()
    {
        var started = await StartAsync(OperationKind.Collection);
        using var worker = Worker(new Steps { Error = "The moon is full." });
        await worker.StartAsync(default);
        await UntilAsync(started.Id, operation => operation.IsOver);
        await worker.StopAsync(default);

        var failed = await Operations.Find(started.Id, default);
        Assert.Equal((OperationState.Failed, "The moon is full."), (failed!.State, failed.Error));
        Assert.True((await Operations.Start(new OperationRequest { Kind = OperationKind.Collection }, default)).IsNew);
    }

    [Fact]
    public async Task One_operation_of_a_kind_runs_at_a_time_and_no_more_often_than_AtMostEvery()
    {
        var first = await StartAsync(OperationKind.Collection);
        var second = await Operations.Start(new OperationRequest { Kind = OperationKind.Collection }, default);
        Assert.Equal((first.Id, false), (second.Operation.Id, second.IsNew));
        await StartAsync(OperationKind.Scrub);
        await Operations.Cancel(first.Id, default);

        var daily = new OperationRequest
        {
            Kind = OperationKind.Collection,
            UntaggedAge = TimeSpan.FromDays(9),
            AtMostEvery = TimeSpan.FromDays(1),
        };
        var today = await Operations.Start(daily, default);
        Assert.True(today.IsNew);
        await Operations.Cancel(today.Operation.Id, default);
        Assert.False((await Operations.Start(daily, default)).IsNew);
        Time.Advance(TimeSpan.FromHours(25));
        Assert.True((await Operations.Start(daily, default)).IsNew);
    }

    [Fact]
    public async Task The_list_keeps_the_newest_operations_and_begins_with_the_newest()
    {
        for (var i = 0; i < 60; i++)
        {
            await Operations.Cancel((await StartAsync(OperationKind.Deletion)).Id, default);
        }

        var last = await StartAsync(OperationKind.Deletion);
        var list = await Operations.List(kind: null, limit: 1000, default);

        Assert.Equal(50, list.Length);
        Assert.Equal(last.Id, list[0].Id);
        var newestFirst = list.OrderByDescending(operation => operation.Created);
        Assert.Equal(newestFirst.Select(operation => operation.Id), list.Select(operation => operation.Id));
        Assert.Empty(await Operations.List(OperationKind.Backup, 10, default));
    }

    private async Task<OperationStatus> StartAsync(OperationKind kind)
    {
        var started = await Operations.Start(new OperationRequest { Kind = kind }, default);
        Assert.True(started.IsNew);
        return started.Operation;
    }

    private async Task<(OperationState State, long Done)> StateAsync(string id) =>
        await Operations.Find(id, default) is { } operation ? (operation.State, operation.Progress.Done) : default;

    private async Task UntilAsync(string id, Func<OperationStatus, bool> condition)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        for (var i = 0; i < 3000; i++)
        {
            if (condition((await Operations.Find(id, default))!))
            {
                return;
            }

            await timer.WaitForNextTickAsync();
        }

        Assert.Fail($"Operation {id} did not reach the expected state.");
    }

    private OperationWorker Worker(Steps steps, TimeProvider? time = null) =>
        new(Cluster.Grains, [steps], Signal, time ?? Time, NullLogger<OperationWorker>.Instance);

    private static OperationProgress Progress(long done) =>
        new() { Done = done, Total = 10, Counts = new Dictionary<string, long>(), Findings = [] };

    /// <summary>Ten steps that count themselves.</summary>
    private sealed class Steps : IOperation
    {
        public OperationKind Kind => OperationKind.Collection;

        /// <summary>The step before which it waits until it is cancelled.</summary>
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
                await run.CompleteStepAsync();
            }
        }
    }
}
