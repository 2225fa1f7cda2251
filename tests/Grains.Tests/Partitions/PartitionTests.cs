using System.Text;
using Granary.Grains.Interfaces;
using Granary.Grains.Partitions;
using Granary.Storage;
using Granary.Storage.Partitions;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Grains.Tests.Partitions;

public sealed class PartitionTests
{
    private static readonly PartitionKey Key = new("test/one");

    private readonly ScriptedStore _store = new();
    private readonly List<Exception> _lost = [];

    [Fact]
    public async Task An_answered_decision_is_in_the_store()
    {
        var partition = await OpenAsync();

        await PutAsync(partition, "a", "1");

        Assert.Equal("1", await StoredAsync("a"));
        Assert.Equal(2, partition.NextVersion);
    }

    [Fact]
    public async Task Only_rows_for_a_decision_are_read_without_their_head_since_its_commit_proves_them()
    {
        await PutAsync(await OpenAsync(), "a", "1");
        var partition = await OpenAsync();

        Assert.Equal("1", await ReadAsync(partition, "a"));
        Assert.Equal(0, _store.ReadsForCommit);
        Assert.False(await ClaimAsync(await OpenAsync(), "a", "2"));
        Assert.Equal(1, _store.ReadsForCommit);
    }

    [Fact]
    public async Task Decisions_that_queue_behind_a_commit_become_one_commit()
    {
        var partition = await OpenAsync();
        var gate = HoldNextCommit();
        var first = PutAsync(partition, "first", "1");
        var others = Enumerable.Range(0, 16).Select(i => PutAsync(partition, $"row{i}", "x")).ToArray();

        gate.SetResult();
        await first;
        await Task.WhenAll(others);

        Assert.Equal(2, _store.Commits.Count);
        Assert.Equal(16, _store.Commits[1].Count);
    }

    [Fact]
    public async Task A_queue_that_is_too_old_takes_no_more_decisions_and_drops_those_that_have_waited_too_long()
    {
        var time = new FakeTimeProvider();
        _store.ProofLifetime = TimeSpan.FromHours(1);
        var partition = await OpenAsync(time);
        var gate = HoldNextCommit();
        var first = PutAsync(partition, "first", "1");
        var old = PutAsync(partition, "old", "1");
        time.Advance(CommitLoop.OldestQueue);
        var young = PutAsync(partition, "young", "1");
        time.Advance(CommitLoop.LongestWait - CommitLoop.OldestQueue);

        // The queue is older than a second now: what joins it would be decided after its caller has stopped waiting.
        time.Advance(TimeSpan.FromMilliseconds(1));
        var late = PutAsync(partition, "late", "1");
        Assert.Equal(PartitionFault.Overloaded, (await Assert.ThrowsAsync<PartitionUnavailableException>(() => late)).Fault);

        gate.SetResult();
        await Task.WhenAll(first, young);
        Assert.Equal(PartitionFault.Overloaded, (await Assert.ThrowsAsync<PartitionUnavailableException>(() => old)).Fault);
        Assert.Null(await StoredAsync("old"));
        Assert.Empty(_lost);
        await PutAsync(partition, "next", "1");
    }

    [Fact]
    public async Task In_one_process_a_decision_waits_as_long_as_the_disk_needs()
    {
        var time = new FakeTimeProvider();
        var partition = await OpenAsync(time);
        var gate = HoldNextCommit();
        var first = PutAsync(partition, "first", "1");
        var second = PutAsync(partition, "second", "1");
        time.Advance(TimeSpan.FromMinutes(1));
        var third = PutAsync(partition, "third", "1");

        gate.SetResult();
        await Task.WhenAll(first, second, third);
    }

    [Fact]
    public async Task A_decision_that_the_store_would_not_commit_at_once_with_those_before_it_begins_the_next_batch()
    {
        _store.BatchLimit = new BatchLimit(Rows: 5, Bytes: 1000);
        var partition = await OpenAsync();
        var gate = HoldNextCommit();
        var first = PutAsync(partition, "first", "1");
        var pairs = Enumerable.Range(0, 4).Select(i => PutManyAsync(partition, $"pair{i}", rows: 2, bytes: 1)).ToArray();
        var large = PutManyAsync(partition, "large", rows: 7, bytes: 300);
        var last = PutAsync(partition, "last", "1");

        gate.SetResult();
        await Task.WhenAll([first, .. pairs, large, last]);

        Assert.Equal([1, 4, 4, 7, 1], _store.Commits.Select(commit => commit.Count));
    }

    [Fact]
    public async Task Of_many_decisions_in_one_batch_that_require_a_row_to_be_new_exactly_one_succeeds()
    {
        var partition = await OpenAsync();
        var gate = HoldNextCommit();
        var first = PutAsync(partition, "first", "1");
        var claims = Enumerable.Range(0, 16).Select(i => ClaimAsync(partition, "tag", $"{i}")).ToArray();

        gate.SetResult();
        await first;
        var won = await Task.WhenAll(claims);

        Assert.Single(won, true);
        Assert.Equal("0", await StoredAsync("tag"));
    }

    [Fact]
    public async Task A_decision_may_ask_for_rows_that_are_not_in_memory_and_that_its_caller_did_not_name()
    {
        await PutAsync(await OpenAsync(), "pointer", "target");
        await PutAsync(await OpenAsync(), "target", "value");
        var partition = await OpenAsync();

        var answer = await partition.DecideAsync([], rows => Text(rows.Get(Text(rows.Get("pointer"))!)), CancellationToken.None);

        Assert.Equal("value", answer);
    }

    [Fact]
    public async Task A_decision_that_throws_because_a_row_is_not_loaded_is_run_again()
    {
        await PutAsync(await OpenAsync(), "n", "41");
        var partition = await OpenAsync();

        var answer = await partition.DecideAsync([], rows => int.Parse(Text(rows.Get("n"))!) + 1, CancellationToken.None);

        Assert.Equal(42, answer);
    }

    [Fact]
    public async Task A_decision_that_throws_fails_only_its_own_caller()
    {
        var partition = await OpenAsync();
        var gate = HoldNextCommit();
        var first = PutAsync(partition, "first", "1");
        var bad = partition.DecideAsync<bool>(
            [],
            rows =>
            {
                rows.Put("bad", Bytes("x"));
                throw new InvalidOperationException("no");
            },
            CancellationToken.None);
        var good = PutAsync(partition, "good", "x");

        gate.SetResult();
        await first;
        await good;

        await Assert.ThrowsAsync<InvalidOperationException>(() => bad);
        Assert.Null(await StoredAsync("bad"));
        Assert.Equal("x", await StoredAsync("good"));
        Assert.Empty(_lost);
    }

    [Fact]
    public async Task A_decision_that_changes_nothing_commits_nothing_unless_it_fences()
    {
        var partition = await OpenAsync();

        await partition.DecideAsync(["a"], rows => rows.Has("a"), CancellationToken.None);
        Assert.Empty(_store.Commits);

        await partition.DecideAsync(
            [],
            rows =>
            {
                rows.Fence();
                return 0;
            },
            CancellationToken.None);
        Assert.Empty(Assert.Single(_store.Commits));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_failed_commit_fails_everything_queued_and_ends_the_activation(bool afterCommit)
    {
        var partition = await OpenAsync();
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Func<Task> fail = async () =>
        {
            await gate.Task;
            throw new StorageException(StorageFault.Full, "no room");
        };
        (_store.BeforeCommit, _store.AfterCommit) = afterCommit ? ((Func<Task>?)null, fail) : (fail, null);

        var first = PutAsync(partition, "first", "1");
        var second = PutAsync(partition, "second", "2");
        gate.SetResult();

        Assert.Equal(PartitionFault.Full, (await Assert.ThrowsAsync<PartitionUnavailableException>(() => first)).Fault);
        await Assert.ThrowsAsync<PartitionUnavailableException>(() => second);
        await Assert.ThrowsAsync<PartitionUnavailableException>(() => PutAsync(partition, "third", "3"));
        Assert.Single(_lost);
        Assert.Equal(afterCommit ? "1" : null, await StoredAsync("first"));
        Assert.Null(await StoredAsync("second"));
    }

    [Fact]
    public async Task A_commit_of_a_stale_activation_fails_and_ends_it()
    {
        var stale = await OpenAsync();
        var current = await OpenAsync();
        await PutAsync(current, "a", "current");

        var refused = await Assert.ThrowsAsync<PartitionUnavailableException>(() => PutAsync(stale, "a", "stale"));

        Assert.Equal(PartitionFault.Unavailable, refused.Fault);
        Assert.IsType<HeadMovedException>(Assert.Single(_lost));
        Assert.Equal("current", await StoredAsync("a"));
    }

    [Fact]
    public async Task A_caller_that_stops_waiting_takes_nothing_back()
    {
        var partition = await OpenAsync();
        var gate = HoldNextCommit();
        using var stop = new CancellationTokenSource();
        var impatient = PutAsync(partition, "a", "1", stop.Token);

        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => impatient);
        gate.SetResult();
        await PutAsync(partition, "b", "2");

        Assert.Equal("1", await StoredAsync("a"));
    }

    [Fact]
    public async Task A_row_that_one_batch_puts_and_deletes_never_reaches_the_store()
    {
        var partition = await OpenAsync();
        var gate = HoldNextCommit();
        var first = PutAsync(partition, "first", "1");
        var put = PutAsync(partition, "brief", "1");
        var delete = DeleteAsync(partition, "brief");
        var other = PutAsync(partition, "other", "1");

        gate.SetResult();
        await Task.WhenAll(first, put, delete, other);

        Assert.Equal(["other"], _store.Commits[1].Select(mutation => mutation.Key));
        Assert.Null(await ReadAsync(partition, "brief"));
    }

    [Fact]
    public async Task A_scan_sees_the_changes_of_earlier_decisions_in_the_batch()
    {
        await PutAsync(await OpenAsync(), "use/1", "x");
        await PutAsync(await OpenAsync(), "use/3", "x");
        var partition = await OpenAsync();
        var gate = HoldNextCommit();
        var first = PutAsync(partition, "first", "1");
        var put = PutAsync(partition, "use/2", "x");
        var delete = DeleteAsync(partition, "use/3");
        var scan = partition.DecideAsync([], rows => string.Join(' ', rows.Scan("use/").Select(row => row.Key)), CancellationToken.None);

        gate.SetResult();
        await Task.WhenAll(first, put, delete);

        Assert.Equal("use/1 use/2", await scan);
    }

    [Fact]
    public async Task A_read_never_sees_changes_that_are_not_durable()
    {
        var partition = await OpenAsync();
        await PutAsync(partition, "a", "old");
        var gate = HoldNextCommit();
        var write = PutAsync(partition, "a", "new");

        Assert.Equal("old", await ReadAsync(partition, "a"));
        gate.SetResult();
        await write;
        Assert.Equal("new", await ReadAsync(partition, "a"));
    }

    [Fact]
    public async Task A_read_that_a_commit_overtakes_does_not_leave_old_rows_in_the_cache()
    {
        await PutAsync(await OpenAsync(), "a", "old");
        var partition = await OpenAsync();
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _store.AfterRead = () =>
        {
            _store.AfterRead = null;
            return gate.Task;
        };
        var read = ReadAsync(partition, "a").AsTask();
        await PutAsync(partition, "a", "new");

        gate.SetResult();

        Assert.Equal("new", await read);
        Assert.Equal("new", await ReadAsync(partition, "a"));
    }

    [Fact]
    public async Task A_batch_takes_no_more_decisions_after_a_megabyte()
    {
        var partition = await OpenAsync();
        var gate = HoldNextCommit();
        var first = PutAsync(partition, "first", "1");
        var big = new string('x', 60_000);
        var others = Enumerable.Range(0, 40).Select(i => PutAsync(partition, $"row{i:d2}", big)).ToArray();

        gate.SetResult();
        await first;
        await Task.WhenAll(others);

        Assert.All(_store.Commits, batch => Assert.True(batch.Sum(mutation => mutation.Value?.Length ?? 0) < 1024 * 1024 + 60_001));
        Assert.Equal(4, _store.Commits.Count);
    }

    [Fact]
    public async Task An_early_answer_leaves_before_the_commit_is_durable_if_the_store_keeps_order()
    {
        _store.KeepsOrder = true;
        var partition = await OpenAsync();
        var gate = HoldNextCommit();

        var early = await DecideEarlyAsync(partition, "a", isEarly: true);

        Assert.Equal((true, new CommitTicket(1)), early);
        Assert.True(Assert.Single(_store.Queued).IsDeferrable);
        Assert.Null(await StoredAsync("a"));
        Assert.Null(await ReadAsync(partition, "a"));
        gate.SetResult();
        await PutAsync(partition, "b", "1");
        Assert.Equal("x", await ReadAsync(partition, "a"));
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    public async Task Without_an_early_answer_or_order_of_commits_the_answer_waits_until_it_is_durable(bool keepsOrder, bool isEarly)
    {
        _store.KeepsOrder = keepsOrder;
        var partition = await OpenAsync();
        var gate = HoldNextCommit();

        var answer = DecideEarlyAsync(partition, "a", isEarly);

        Assert.False(answer.IsCompleted);
        gate.SetResult();
        Assert.Equal((true, null), await answer);
        Assert.Equal("x", await StoredAsync("a"));
    }

    [Fact]
    public async Task A_decision_that_waits_for_a_deferred_commit_flushes_it()
    {
        _store.KeepsOrder = true;
        var partition = await OpenAsync();
        var gate = HoldNextCommit();
        await DecideEarlyAsync(partition, "a", isEarly: true);

        var put = PutAsync(partition, "b", "1");
        gate.SetResult();
        await put;

        Assert.Equal(1, _store.Flushes);
        Assert.Equal([true, false], _store.Queued.Select(queued => queued.IsDeferrable));
    }

    [Fact]
    public async Task Stopping_flushes_deferred_commits_and_waits_for_them()
    {
        _store.KeepsOrder = true;
        var partition = await OpenAsync();
        await partition.StopAsync();
        var gate = HoldNextCommit();
        await DecideEarlyAsync(partition, "a", isEarly: true);

        var stopped = partition.StopAsync();

        Assert.False(stopped.IsCompleted);
        Assert.Equal(1, _store.Flushes);
        gate.SetResult();
        await stopped;
        Assert.Equal("x", await StoredAsync("a"));
    }

    [Fact]
    public async Task An_early_answer_whose_commit_fails_ends_the_activation()
    {
        _store.KeepsOrder = true;
        var partition = await OpenAsync();
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _store.BeforeCommit = async () =>
        {
            await gate.Task;
            throw new StorageException(StorageFault.Full, "no room");
        };
        await DecideEarlyAsync(partition, "a", isEarly: true);
        var next = PutAsync(partition, "b", "1");

        gate.SetResult();

        await Assert.ThrowsAsync<PartitionUnavailableException>(() => next);
        Assert.Single(_lost);
    }

    [Fact]
    public async Task A_decision_commits_its_dependencies_even_if_it_changes_no_row()
    {
        var partition = await OpenAsync();
        var gate = HoldNextCommit();
        var first = PutAsync(partition, "first", "1");
        var nothing = partition.DecideAsync([], _ => true, dependsOn: [new CommitTicket(7), null], CancellationToken.None);
        var put = partition.DecideAsync(
            [],
            rows => Put(rows, "a"),
            dependsOn: [new CommitTicket(7), new CommitTicket(8)],
            CancellationToken.None);

        gate.SetResult();
        await Task.WhenAll(first, nothing, put);
        await partition.DecideAsync([], _ => true, dependsOn: [new CommitTicket(9)], CancellationToken.None);

        Assert.Equal([[], [7, 8], [9]], _store.Queued.Select(queued => queued.DependsOn.Select(number => number.Value).Order().ToArray()));
    }

    [Fact]
    public async Task A_decision_that_throws_has_no_dependencies_and_commits_only_the_version()
    {
        var partition = await OpenAsync();

        await Assert.ThrowsAsync<InvalidOperationException>(() => partition.DecideAsync<bool>(
            [],
            _ => throw new InvalidOperationException("no"),
            dependsOn: [new CommitTicket(7)],
            CancellationToken.None));

        Assert.Empty(Assert.Single(_store.Commits));
        Assert.Empty(Assert.Single(_store.Queued).DependsOn);
    }

    [Fact]
    public async Task An_early_answer_in_a_batch_with_a_waiting_decision_leaves_early_and_the_commit_is_not_deferred()
    {
        _store.KeepsOrder = true;
        var partition = await OpenAsync();
        var gate = HoldNextCommit();
        var first = PutAsync(partition, "first", "1");
        var early = DecideEarlyAsync(partition, "a", isEarly: true);
        var put = PutAsync(partition, "b", "1");
        var second = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _store.AfterCommit = () =>
        {
            _store.BeforeCommit = () => second.Task;
            return Task.CompletedTask;
        };

        gate.SetResult();
        await first;

        Assert.Equal((true, new CommitTicket(2)), await early);
        Assert.False(put.IsCompleted);
        Assert.False(_store.Queued[1].IsDeferrable);
        second.SetResult();
        await put;
    }

    [Fact]
    public async Task A_validity_lasts_until_a_commit_and_ends_before_any_caller_learns_of_it()
    {
        var partition = await OpenAsync();
        var validity = partition.Validity;
        await ReadAsync(partition, "a");
        await partition.DecideAsync([], rows => rows.Has("a"), CancellationToken.None);
        var gate = HoldNextCommit();
        var put = PutAsync(partition, "a", "1");
        var wasOver = WasOverAsync(put, validity);
        Assert.False(validity.IsOver);

        gate.SetResult();

        Assert.True(await wasOver);
        Assert.False(partition.Validity.IsOver);
    }

    [Fact]
    public async Task No_validity_begins_after_a_failed_commit()
    {
        var partition = await OpenAsync();
        var validity = partition.Validity;
        _store.AfterCommit = () => throw new StorageException(StorageFault.Unavailable, "no word");
        var put = PutAsync(partition, "a", "1");

        Assert.True(await WasOverAsync(put, validity));
        Assert.True(partition.Validity.IsOver);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task No_validity_begins_in_an_activation_that_ends_even_if_it_still_commits(bool drops)
    {
        var partition = await OpenAsync();
        var validity = partition.Validity;
        var gate = HoldNextCommit();
        var put = PutAsync(partition, "a", "1");

        var end = drops ? partition.DropAsync(CancellationToken.None) : partition.StopAsync();
        Assert.Equal(!drops, validity.IsOver);
        gate.SetResult();
        await put;
        await end;

        Assert.True(validity.IsOver);
        Assert.True(partition.Validity.IsOver);
    }

    private static Task<(bool Answer, CommitTicket? Ticket)> DecideEarlyAsync(Partition partition, string key, bool isEarly) =>
        partition.DecideEarlyAsync([], rows => Put(rows, key), _ => isEarly, CancellationToken.None);

    /// <summary>Returns whether the validity is over when the caller of a decision learns of its commit.</summary>
    private static Task<bool> WasOverAsync(Task decision, ReadValidity validity) => decision.ContinueWith(
        _ => validity.IsOver,
        CancellationToken.None,
        TaskContinuationOptions.ExecuteSynchronously,
        TaskScheduler.Default);

    private static bool Put(RowBatch rows, string key)
    {
        rows.Put(key, Bytes("x"));
        return true;
    }

    private async Task<Partition> OpenAsync(TimeProvider? time = null)
    {
        var partition = new Partition(_store, Key, _lost.Add, time);
        await partition.OpenAsync(CancellationToken.None);
        return partition;
    }

    private TaskCompletionSource HoldNextCommit()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _store.BeforeCommit = () =>
        {
            _store.BeforeCommit = null;
            return gate.Task;
        };
        return gate;
    }

    private static Task<bool> PutAsync(Partition partition, string key, string value, CancellationToken cancellationToken = default) =>
        partition.DecideAsync(
            [],
            rows =>
            {
                rows.Put(key, Bytes(value));
                return true;
            },
            cancellationToken);

    private static Task<bool> DeleteAsync(Partition partition, string key) => partition.DecideAsync(
        [],
        rows =>
        {
            rows.Delete(key);
            return true;
        },
        CancellationToken.None);

    private static Task<bool> PutManyAsync(Partition partition, string name, int rows, int bytes) => partition.DecideAsync(
        [],
        batch =>
        {
            for (var i = 0; i < rows; i++)
            {
                batch.Put($"{name}/{i}", new byte[bytes]);
            }

            return true;
        },
        CancellationToken.None);

    private static Task<bool> ClaimAsync(Partition partition, string key, string value) => partition.DecideAsync(
        [key],
        rows =>
        {
            if (rows.Has(key))
            {
                return false;
            }

            rows.Put(key, Bytes(value));
            return true;
        },
        CancellationToken.None);

    private static ValueTask<string?> ReadAsync(Partition partition, string key) =>
        partition.ReadAsync([key], rows => Text(rows.Get(key)), CancellationToken.None);

    private async Task<string?> StoredAsync(string key) => Text((await _store.GetAsync(Key, [key], CancellationToken.None))[0]);

    private static ReadOnlyMemory<byte> Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static string? Text(ReadOnlyMemory<byte>? value) => value is { } bytes ? Encoding.UTF8.GetString(bytes.Span) : null;
}
