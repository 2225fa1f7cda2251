using System.Text;
using Granary.Grains.Interfaces;
using Granary.Grains.Partitions;
using Granary.Storage;
using Granary.Storage.Partitions;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Grains.Tests.Partitions;

/// <summary>
/// How old an answer may be if other processes can write to the store: an activation answers from memory for ten seconds after it has
/// proved that it owns the partition.
/// </summary>
public sealed class OwnershipTests
{
    private static readonly PartitionKey Key = new("test/one");
    private static readonly TimeSpan Lifetime = TimeSpan.FromSeconds(10);

    private readonly ScriptedStore _store = new() { ProofLifetime = Lifetime };
    private readonly FakeTimeProvider _time = new();
    private readonly List<Exception> _lost = [];

    [Fact]
    public async Task An_activation_of_a_store_that_no_other_process_writes_to_needs_no_proof()
    {
        _store.ProofLifetime = null;
        var partition = await OpenAsync();
        await PutAsync(partition, "a", "1");
        var reads = _store.HeadReads;

        _time.Advance(TimeSpan.FromDays(1));

        Assert.Equal("1", await ReadAsync(partition, "a"));
        Assert.False(partition.Validity.IsOver);
        Assert.Equal(reads, _store.HeadReads);
    }

    [Fact]
    public async Task Reads_of_a_fresh_proof_do_not_read_the_head()
    {
        var partition = await OpenWithRowAsync();
        var reads = _store.HeadReads;

        for (var i = 0; i < 100; i++)
        {
            _time.Advance(Lifetime / 250);
            Assert.Equal("1", await ReadAsync(partition, "a"));
        }

        Assert.Equal(reads, _store.HeadReads);
    }

    [Fact]
    public async Task A_read_after_half_of_the_time_answers_at_once_and_renews_the_proof()
    {
        var partition = await OpenWithRowAsync();
        var reads = _store.HeadReads;
        var gate = new TaskCompletionSource();
        _store.BeforeHeadRead = () => gate.Task;

        _time.Advance(0.6 * Lifetime);
        Assert.Equal("1", await ReadAsync(partition, "a").AsTask().WaitAsync(TimeSpan.FromMinutes(1)));
        Assert.Equal("1", await ReadAsync(partition, "a").AsTask().WaitAsync(TimeSpan.FromMinutes(1)));
        gate.SetResult();
        _time.Advance(0.3 * Lifetime);
        Assert.Equal("1", await ReadAsync(partition, "a"));

        Assert.Equal(reads + 1, _store.HeadReads);
    }

    [Fact]
    public async Task Reads_after_the_time_wait_for_one_read_of_the_head()
    {
        var partition = await OpenWithRowAsync();
        var reads = _store.HeadReads;
        var gate = new TaskCompletionSource();
        _store.BeforeHeadRead = () => gate.Task;
        _time.Advance(Lifetime);

        var answers = Enumerable.Range(0, 16).Select(_ => ReadAsync(partition, "a").AsTask()).ToArray();
        Assert.DoesNotContain(answers, answer => answer.IsCompleted);
        gate.SetResult();

        Assert.All(await Task.WhenAll(answers), answer => Assert.Equal("1", answer));
        Assert.Equal(reads + 1, _store.HeadReads);
    }

    [Fact]
    public async Task An_activation_that_another_one_has_overtaken_answers_at_most_for_the_time_of_the_proof()
    {
        var stale = await OpenWithRowAsync();
        await PutAsync(await OpenAsync(), "a", "2");

        Assert.Equal("1", await ReadAsync(stale, "a"));
        _time.Advance(Lifetime);

        await Assert.ThrowsAsync<PartitionUnavailableException>(() => ReadAsync(stale, "a").AsTask());
        Assert.IsType<HeadMovedException>(Assert.Single(_lost));
        Assert.True(stale.Validity.IsOver);
        await Assert.ThrowsAsync<PartitionUnavailableException>(() => ReadAsync(stale, "a").AsTask());
    }

    [Fact]
    public async Task An_activation_that_another_one_has_overtaken_notices_it_when_it_renews_the_proof()
    {
        var stale = await OpenWithRowAsync();
        await PutAsync(await OpenAsync(), "a", "2");

        _time.Advance(0.6 * Lifetime);
        Assert.Equal("1", await ReadAsync(stale, "a"));

        Assert.IsType<HeadMovedException>(Assert.Single(_lost));
        await Assert.ThrowsAsync<PartitionUnavailableException>(() => ReadAsync(stale, "a").AsTask());
    }

    [Fact]
    public async Task An_activation_that_another_one_has_overtaken_notices_it_when_it_loads_a_row()
    {
        var stale = await OpenWithRowAsync();
        await PutAsync(await OpenAsync(), "b", "2");

        await Assert.ThrowsAsync<PartitionUnavailableException>(() => ReadAsync(stale, "b").AsTask());

        Assert.IsType<HeadMovedException>(Assert.Single(_lost));
    }

    [Fact]
    public async Task A_commit_is_a_proof_that_counts_from_before_its_request()
    {
        var partition = await OpenWithRowAsync();
        _time.Advance(0.4 * Lifetime);
        _store.AfterCommit = () =>
        {
            _time.Advance(0.4 * Lifetime);
            return Task.CompletedTask;
        };
        await PutAsync(partition, "b", "1");
        var reads = _store.HeadReads;

        Assert.False(partition.Validity.IsOver);
        await ReadAsync(partition, "a");
        Assert.Equal(reads, _store.HeadReads);

        _time.Advance(0.1 * Lifetime);
        Assert.True(partition.Validity.IsOver);
        await ReadAsync(partition, "a");
        Assert.Equal(reads + 1, _store.HeadReads);
    }

    [Fact]
    public async Task If_the_head_cannot_be_read_no_old_answer_is_given()
    {
        var partition = await OpenWithRowAsync();
        _store.BeforeHeadRead = () => throw new StorageException(StorageFault.Unavailable, "The storage does not answer.");

        _time.Advance(0.6 * Lifetime);
        Assert.Equal("1", await ReadAsync(partition, "a"));
        _time.Advance(0.4 * Lifetime);
        var refusal = await Assert.ThrowsAsync<PartitionUnavailableException>(() => ReadAsync(partition, "a").AsTask());
        Assert.Contains("does not answer", refusal.Message, StringComparison.Ordinal);

        _store.BeforeHeadRead = null;
        Assert.Equal("1", await ReadAsync(partition, "a"));
        Assert.Empty(_lost);
    }

    [Fact]
    public async Task The_head_of_a_commit_of_its_own_is_no_loss()
    {
        var partition = await OpenWithRowAsync();
        var isCommitted = new TaskCompletionSource();
        var answer = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _store.AfterCommit = () =>
        {
            isCommitted.TrySetResult();
            return answer.Task;
        };
        _time.Advance(Lifetime);
        var put = PutAsync(partition, "a", "2");
        await isCommitted.Task;

        // The store has the commit already, and the activation does not know it.
        var read = ReadAsync(partition, "a").AsTask();
        var loading = ReadAsync(partition, "not loaded").AsTask();
        Assert.False(read.IsCompleted || loading.IsCompleted);
        answer.SetResult();
        await put;

        Assert.Equal("2", await read);
        Assert.Null(await loading);
        Assert.Empty(_lost);
    }

    [Fact]
    public async Task A_clock_of_the_machine_that_has_gone_on_while_the_other_stood_still_ages_the_proof()
    {
        var time = new PausedMachine();
        var partition = new Partition(_store, Key, _lost.Add, time);
        await partition.OpenAsync(CancellationToken.None);
        await PutAsync(partition, "a", "1");
        var reads = _store.HeadReads;

        time.Utc += Lifetime;
        await ReadAsync(partition, "a");

        Assert.Equal(reads + 1, _store.HeadReads);
    }

    [Fact]
    public async Task What_was_read_is_valid_while_the_proof_is_fresh()
    {
        var partition = await OpenWithRowAsync();
        var validity = partition.Validity;

        _time.Advance(0.6 * Lifetime);
        Assert.True(validity.IsOver);

        await ReadAsync(partition, "a");
        Assert.False(validity.IsOver);
    }

    private async Task<Partition> OpenAsync()
    {
        var partition = new Partition(_store, Key, _lost.Add, _time);
        await partition.OpenAsync(CancellationToken.None);
        return partition;
    }

    /// <summary>Opens the partition with the row <c>a</c> in memory.</summary>
    private async Task<Partition> OpenWithRowAsync()
    {
        var partition = await OpenAsync();
        await PutAsync(partition, "a", "1");
        Assert.Equal("1", await ReadAsync(partition, "a"));
        return partition;
    }

    private static Task<bool> PutAsync(Partition partition, string key, string value) => partition.DecideAsync(
        [key],
        rows =>
        {
            rows.Put(key, Encoding.UTF8.GetBytes(value));
            return true;
        },
        CancellationToken.None);

    private static ValueTask<string?> ReadAsync(Partition partition, string key) => partition.ReadAsync(
        [key],
        rows => rows.Get(key) is { } value ? Encoding.UTF8.GetString(value.Span) : null,
        CancellationToken.None);

    private sealed class PausedMachine : TimeProvider
    {
        public DateTimeOffset Utc { get; set; } = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

        public override long GetTimestamp() => 1;

        public override DateTimeOffset GetUtcNow() => Utc;
    }
}
