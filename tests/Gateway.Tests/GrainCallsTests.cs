using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Repositories;

namespace Granary.Gateway.Tests;

/// <summary>The repeats of calls whose failure does not say whether they took effect.</summary>
public sealed class GrainCallsTests
{
    private static readonly PartitionUnavailableException Lost = new(PartitionFault.Unavailable, "lost");

    private readonly JumpingTime _time = new();
    private readonly CommandOrders _orders;
    private readonly GrainCalls _calls;

    public GrainCallsTests()
    {
        _orders = new CommandOrders(_time);
        _calls = new GrainCalls(_orders, _time);
    }

    [Fact]
    public async Task A_call_is_repeated_after_a_dead_silo_a_lost_partition_and_a_timeout()
    {
        Queue<Exception> failures = new([new SiloUnavailableException(), Lost, new TimeoutException()]);

        var answer = await _calls.RepeatAsync(
            () => failures.TryDequeue(out var failure) ? Task.FromException<string>(failure) : Task.FromResult("done"),
            CancellationToken.None);

        Assert.Equal("done", answer);
        Assert.Empty(failures);
    }

    [Fact]
    public async Task The_pauses_double_up_to_400_ms_and_end_after_15_seconds()
    {
        await Assert.ThrowsAsync<TimeoutException>(() => FailAsync(new TimeoutException()));

        double[] expected = [25, 50, 100, 200, 400, 400, 400];
        foreach (var (pause, middle) in _time.Pauses.Zip(expected))
        {
            Assert.InRange(pause.TotalMilliseconds, middle * 0.5, middle * 1.5);
        }

        Assert.InRange(_time.Passed, GrainCalls.Patience - TimeSpan.FromSeconds(1), GrainCalls.Patience + TimeSpan.FromSeconds(1));
        Assert.True(_time.Pauses.Distinct().Count() > 10, "The pauses have no jitter.");
    }

    [Fact]
    public async Task An_attempt_that_took_all_the_time_is_not_repeated()
    {
        var attempts = 0;

        await Assert.ThrowsAsync<TimeoutException>(() => _calls.RepeatAsync<int>(
            () =>
            {
                attempts++;
                _time.Advance(GrainCalls.Patience);
                throw new TimeoutException();
            },
            CancellationToken.None));

        Assert.Equal(1, attempts);
    }

    [Theory]
    [InlineData(PartitionFault.Full)]
    [InlineData(PartitionFault.Overloaded)]
    public async Task A_call_that_did_nothing_for_a_reason_that_stays_is_not_repeated(PartitionFault fault)
    {
        await Assert.ThrowsAsync<PartitionUnavailableException>(() => FailAsync(new PartitionUnavailableException(fault, "no")));

        Assert.Empty(_time.Pauses);
    }

    [Fact]
    public async Task A_client_that_goes_away_ends_the_repeats()
    {
        using var aborted = new CancellationTokenSource();
        var attempts = 0;

        await Assert.ThrowsAsync<TimeoutException>(() => _calls.RepeatAsync<int>(
            async () =>
            {
                if (++attempts == 3)
                {
                    await aborted.CancelAsync();
                }

                throw new TimeoutException();
            },
            aborted.Token));

        Assert.Equal(3, attempts);
    }

    [Fact]
    public async Task Each_attempt_of_a_command_has_a_higher_order_and_the_same_request()
    {
        var sent = new List<RemoveTag>();

        await _calls.SendAsync(
            Command(),
            attempt =>
            {
                sent.Add(attempt);
                return sent.Count < 4 ? throw Lost : Task.FromResult(true);
            },
            CancellationToken.None);

        Assert.Equal(4, sent.Count);
        Assert.Equal(sent.Select(attempt => attempt.Order).Order().Distinct(), sent.Select(attempt => attempt.Order));
        Assert.All(sent, attempt => Assert.Equal(sent[0].Origin, attempt.Origin));
        Assert.All(sent, attempt => Assert.Equal(sent[0].Order, attempt.FirstOrder));
        Assert.Equal([false, true, true, true], sent.Select(attempt => attempt.IsRepeat));
        Assert.All(sent, attempt => Assert.True(attempt.ValidUntil > new DateTimeOffset(attempt.Order, TimeSpan.Zero)));
    }

    [Fact]
    public async Task A_command_whose_order_is_too_low_is_sent_again_at_once_with_a_higher_one()
    {
        var highest = _time.GetUtcNow().AddMinutes(10).UtcTicks;
        var sent = new List<long>();

        await _calls.SendAsync(
            Command(),
            attempt =>
            {
                sent.Add(attempt.Order);
                return attempt.Order > highest ? Task.FromResult(true) : throw new ReorderException(highest);
            },
            CancellationToken.None);

        Assert.Equal(2, sent.Count);
        Assert.Empty(_time.Pauses);
        Assert.True(_orders.Next(Command()).Order > highest);
    }

    [Fact]
    public async Task Orders_are_never_the_same_twice()
    {
        var orders = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() =>
            Enumerable.Range(0, 2000).Select(_ => _orders.Next(Command()).Order).ToList())));

        Assert.Equal(16_000, orders.SelectMany(one => one).Distinct().Count());
        Assert.All(orders, one => Assert.Equal(one.Order(), one));
    }

    private static RemoveTag Command() =>
        new(Tag.Parse("v1")) { Origin = new CommandOrigin { RequestId = Guid.NewGuid(), Cause = ChangeCause.Delete } };

    private Task<int> FailAsync(Exception failure) => _calls.RepeatAsync(() => Task.FromException<int>(failure), CancellationToken.None);

    /// <summary>A clock whose timers fire at once: it jumps to their time.</summary>
    private sealed class JumpingTime : TimeProvider
    {
        private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

        private long _ticks;

        public List<TimeSpan> Pauses { get; } = [];

        public TimeSpan Passed => TimeSpan.FromTicks(_ticks);

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public void Advance(TimeSpan by) => _ticks += by.Ticks;

        public override DateTimeOffset GetUtcNow() => Start + Passed;

        public override long GetTimestamp() => _ticks;

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Pauses.Add(dueTime);
            Advance(dueTime);
            return System.CreateTimer(callback, state, TimeSpan.Zero, period);
        }
    }
}
