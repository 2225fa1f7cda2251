using Granary.Grains.Interfaces;
using Granary.Storage;
using Granary.Storage.Partitions;

namespace Granary.Grains.Partitions;

/// <summary>
/// The partition of a grain: decisions that change its rows, and reads of them. <see cref="CommitLoop"/> merges and commits decisions,
/// <see cref="PartitionReader"/> reads; the README of this folder states the law of both. Not thread safe: it lives in the turns of one
/// grain.
/// </summary>
internal sealed class Partition
{
    private readonly IPartitionStore _store;
    private readonly PartitionKey _key;
    private readonly CommitLoop _loop;
    private readonly PartitionReader _reader;
    private readonly ValidityTracker _validity;
    private readonly OwnershipProof _proof;
    private readonly Ownership _ownership;

    /// <param name="store">The store of the rows.</param>
    /// <param name="key">The partition.</param>
    /// <param name="onLost">
    /// Called when the activation has lost the partition: a commit failed, or another activation has committed.
    /// </param>
    /// <param name="time">
    /// The clock by which the proof of ownership ages; null for a tool that has no ownership: it reads what the store has, and runs while
    /// no grain does, or commits nothing.
    /// </param>
    public Partition(IPartitionStore store, PartitionKey key, Action<Exception> onLost, TimeProvider? time = null)
    {
        var cache = new RowCache();
        (_store, _key) = (store, key);
        _proof = new OwnershipProof(time is null ? null : store.ProofLifetime, time ?? TimeProvider.System);
        _validity = new ValidityTracker(_proof);
        _loop = new CommitLoop(store, key, cache, _validity, _proof, time ?? TimeProvider.System, onLost);
        _ownership = new Ownership(store, key, _loop, _proof);
        _reader = new PartitionReader(store, key, cache, _validity, _ownership);
    }

    /// <summary>The lowest version that the next commit can have.</summary>
    public long NextVersion => _loop.Head.NextVersion;

    /// <summary>Whether other processes may write to the store. Otherwise this activation has the only cache of the rows.</summary>
    public bool OthersMayWrite => _proof.IsNeeded;

    /// <summary>The validity of what is read from now on.</summary>
    public ReadValidity Validity => _validity.Current;

    /// <summary>Reads the head. Called once, before anything else.</summary>
    public async Task OpenAsync(CancellationToken cancellationToken)
    {
        var since = _proof.Now;
        _loop.Head = await _ownership.ReadHeadAsync(cancellationToken);
        _proof.Extend(since);
    }

    /// <summary>
    /// Queues a decision and returns its answer once it is durable. <paramref name="decide"/> runs in the commit loop, maybe more than once
    /// (<see cref="RowView"/>). If it throws, only its caller fails.
    /// </summary>
    /// <param name="needs">
    /// Keys, and prefixes with the slash at their end, that the decision will ask for, as far as its caller knows them. The loop loads them
    /// for all queued decisions at once.
    /// </param>
    /// <param name="decide">The decision.</param>
    /// <param name="cancellationToken">Ends the caller's wait. The decision may be committed all the same.</param>
    /// <exception cref="PartitionUnavailableException">The commit failed, or the activation has lost the partition.</exception>
    public Task<T> DecideAsync<T>(IReadOnlyList<string> needs, Func<RowBatch, T> decide, CancellationToken cancellationToken) =>
        _loop.EnqueueAsync(new QueuedDecision<T>(needs, decide, dependencies: [], isEarly: null), cancellationToken);

    /// <summary>Queues a decision whose commit depends on commits of other grains.</summary>
    /// <param name="needs">As above.</param>
    /// <param name="decide">The decision.</param>
    /// <param name="dependsOn">
    /// The tickets of those commits; null where one is durable already. If one of them fails, this commit fails.
    /// </param>
    /// <param name="cancellationToken">Ends the caller's wait.</param>
    public Task<T> DecideAsync<T>(
        IReadOnlyList<string> needs,
        Func<RowBatch, T> decide,
        CommitTicket?[] dependsOn,
        CancellationToken cancellationToken) =>
        _loop.EnqueueAsync(new QueuedDecision<T>(needs, decide, dependsOn, isEarly: null), cancellationToken);

    /// <summary>
    /// Queues a decision and, if the store keeps the order of commits, answers before the commit is durable, with its ticket. The caller
    /// has to make a commit of its own depend on the ticket, and must send no answer before that one is durable.
    /// </summary>
    /// <param name="needs">As above.</param>
    /// <param name="decide">The decision.</param>
    /// <param name="isEarly">Whether this answer may leave early. Others wait for the commit.</param>
    /// <param name="cancellationToken">Ends the caller's wait.</param>
    /// <returns>The answer; the ticket is null if the commit is durable.</returns>
    public async Task<(T Answer, CommitTicket? Ticket)> DecideEarlyAsync<T>(
        IReadOnlyList<string> needs,
        Func<RowBatch, T> decide,
        Func<T, bool> isEarly,
        CancellationToken cancellationToken)
    {
        var decision = new QueuedDecision<T>(needs, decide, dependencies: [], isEarly);
        return (await _loop.EnqueueAsync(decision, cancellationToken), decision.Ticket);
    }

    /// <summary>
    /// Answers from committed rows. Completes synchronously if they are in memory, and the activation has proved lately that it owns the
    /// partition.
    /// </summary>
    /// <param name="needs">Keys and prefixes that the rule will ask for, as far as its caller knows them.</param>
    /// <param name="read">The rule, which may run more than once.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <exception cref="PartitionUnavailableException">
    /// The rows or the head cannot be read, or another activation has committed.
    /// </exception>
    public ValueTask<T> ReadAsync<T>(IReadOnlyList<string> needs, Func<RowView, T> read, CancellationToken cancellationToken)
    {
        if (!_proof.IsValid || !_reader.TryReadCached(read, out var answer))
        {
            return LoadAndReadAsync(needs, read, cancellationToken);
        }

        _ownership.Refresh();
        return ValueTask.FromResult(answer);
    }

    /// <inheritdoc cref="PartitionReader.ScanAsync"/>
    public IAsyncEnumerable<Row> ScanAsync(string prefix, string? after, CancellationToken cancellationToken) =>
        _reader.ScanAsync(prefix, after, cancellationToken);

    /// <inheritdoc cref="PartitionReader.ListAsync"/>
    public Task<(T[] Items, bool More)> ListAsync<T>(
        string prefix,
        string? after,
        int limit,
        Func<string, T> parse,
        CancellationToken cancellationToken) => _reader.ListAsync(prefix, after, limit, parse, cancellationToken);

    /// <summary>
    /// Proves that no other activation has committed to the partition until now: for an answer that is not a commit, and on which others
    /// rely.
    /// </summary>
    /// <exception cref="PartitionUnavailableException">Another activation has committed. This one has lost the partition.</exception>
    public async Task ProveCurrentAsync(CancellationToken cancellationToken)
    {
        // A commit that is under way would look like one of another activation.
        await _loop.DrainAsync(cancellationToken);
        await _ownership.ProveAsync(cancellationToken);
    }

    /// <summary>
    /// Ends all read validities, and waits for commits that are under way, so that the next activation finds them in the store. Never
    /// throws.
    /// </summary>
    public Task StopAsync()
    {
        _validity.Close();
        return _loop.FinishAsync();
    }

    /// <summary>Removes the partition with its head. The activation takes no more decisions.</summary>
    public async Task DropAsync(CancellationToken cancellationToken)
    {
        await _loop.DrainAsync(cancellationToken);
        _validity.Close();
        _loop.Close(new StorageException(StorageFault.Unavailable, $"'{_key}' is being removed; try again."));
        try
        {
            await _store.DropAsync(_key, _loop.Head, CancellationToken.None);
        }
        catch (Exception e) when (e is StorageException or HeadMovedException)
        {
            _loop.Lose(e);
            throw PartitionFaults.Translate(e, _key);
        }
    }

    private async ValueTask<T> LoadAndReadAsync<T>(IReadOnlyList<string> needs, Func<RowView, T> read, CancellationToken cancellationToken)
    {
        // Rows that are not in memory are loaded, and that is a proof. The proof comes first, because they may all be there.
        await _ownership.EnsureAsync(cancellationToken);
        var (isRead, answer) = await _reader.LoadAndReadAsync(needs, read, cancellationToken);
        if (isRead)
        {
            return answer;
        }

        // Commits have overtaken the read again and again: in the queue none can. Its own commit proves that the rows are current.
        return await DecideAsync(
            needs,
            rows =>
            {
                if (_proof.IsNeeded)
                {
                    rows.Fence();
                }

                return read(rows);
            },
            cancellationToken);
    }
}
