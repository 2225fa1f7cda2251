using Granary.Grains.Interfaces;
using Granary.Storage.Partitions;

namespace Granary.Grains.Partitions;

/// <summary>
/// Takes queued decisions, merges them into batches, and commits each batch under compare-and-swap of the head:
/// <list type="number">
/// <item>load the rows that the queued decisions need;</item>
/// <item>run the decisions in order, each over the rows and the changes of those before it;</item>
/// <item>commit the batch; nothing to commit if nothing changes;</item>
/// <item>publish the changes to the cache, and answer.</item>
/// </list>
/// A failed commit ends the loop: whether it took effect is not known. The loop never waits for another grain.
/// </summary>
/// <remarks>
/// The rule <c>overload</c>: a decision that has waited too long is refused, and so are all new ones while the queue is too old. Their
/// callers have stopped waiting, or will have: repeats would join the queue, and everything would be committed while nothing is
/// acknowledged. Only where other processes may write: there a caller waits for seconds. In one process it waits as long as a slow disk
/// needs, and a refusal would fail requests that succeed today.
/// </remarks>
internal sealed class CommitLoop(
    IPartitionStore store,
    PartitionKey key,
    RowCache cache,
    ValidityTracker validity,
    OwnershipProof proof,
    TimeProvider time,
    Action<Exception> onLost)
{
    /// <summary>How long a decision may wait. A caller waits for 3 s: a second is left to commit and to answer.</summary>
    public static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(2);

    /// <summary>How old the queue may be when a decision joins it.</summary>
    public static readonly TimeSpan OldestQueue = TimeSpan.FromSeconds(1);

    private readonly Queue<QueuedDecision> _queue = new();
    private Task _work = Task.CompletedTask;
    private bool _isDeferred;
    private Exception? _closed;

    /// <summary>The head after the last commit.</summary>
    public Head Head { get; set; }

    /// <summary>Whether a batch is being made or committed.</summary>
    public bool IsCommitting { get; private set; }

    /// <summary>Queues a decision, and returns its answer.</summary>
    /// <exception cref="PartitionUnavailableException">The commit failed, or the loop is closed.</exception>
    public Task<T> EnqueueAsync<T>(QueuedDecision<T> decision, CancellationToken cancellationToken)
    {
        if (_closed is not null)
        {
            return Task.FromException<T>(PartitionFaults.Translate(_closed, key));
        }

        if (proof.IsNeeded)
        {
            if (_queue.TryPeek(out var oldest) && time.GetElapsedTime(oldest.Queued) > OldestQueue)
            {
                return Task.FromException<T>(PartitionFaults.Overloaded(key));
            }

            decision.Queued = time.GetTimestamp();
        }

        _queue.Enqueue(decision);
        if (!IsCommitting)
        {
            _work = RunAsync();
        }
        else if (_isDeferred)
        {
            // This decision waits for a commit that the store may still defer.
            store.FlushDeferred();
        }

        return cancellationToken.CanBeCanceled ? decision.Answer.WaitAsync(cancellationToken) : decision.Answer;
    }

    /// <exception cref="PartitionUnavailableException">The loop is closed.</exception>
    public void ThrowIfClosed()
    {
        if (_closed is not null)
        {
            throw PartitionFaults.Translate(_closed, key);
        }
    }

    /// <summary>Waits until everything that is queued now is decided and durable.</summary>
    public Task DrainAsync(CancellationToken cancellationToken) =>
        EnqueueAsync(new QueuedDecision<bool>(needs: [], _ => true, dependencies: [], isEarly: null), cancellationToken);

    /// <summary>Waits for the commit that is under way, without deferral. Never throws.</summary>
    public Task FinishAsync()
    {
        if (_isDeferred)
        {
            store.FlushDeferred();
        }

        return _work;
    }

    /// <summary>Takes no more decisions: their callers fail with <paramref name="reason"/>.</summary>
    public void Close(Exception reason) => _closed ??= reason;

    /// <summary>
    /// Gives the partition up: whether the last commit took effect is not known, or another activation has committed, so what this
    /// activation has in memory may be wrong. Everything queued fails, and the grain deactivates.
    /// </summary>
    public void Lose(Exception reason) => Lose(reason, members: []);

    private void Lose(Exception reason, List<QueuedDecision> members)
    {
        // The grain deactivates before any caller hears of the failure, so that a retry reaches the next activation.
        validity.Close();
        proof.End();
        _closed = reason;
        onLost(reason);
        var answer = PartitionFaults.Translate(reason, key);
        foreach (var decision in members)
        {
            decision.Fail(answer);
        }

        while (_queue.TryDequeue(out var decision))
        {
            decision.Fail(answer);
        }
    }

    private async Task RunAsync()
    {
        IsCommitting = true;
        try
        {
            while (_queue.Count > 0)
            {
                await CommitBatchAsync();
            }
        }
        finally
        {
            IsCommitting = false;
        }
    }

    private async Task CommitBatchAsync()
    {
        var loaded = new LoadedRows(cache);
        var batch = new RowBatch(loaded, Head.NextVersion, store.BatchLimit);
        var members = new List<QueuedDecision>();
        try
        {
            // :: Step 1: load. The rows cannot go stale: this loop is the only writer.
            foreach (var decision in _queue)
            {
                loaded.Request(decision.Needs);
            }

            await loaded.LoadMissingAsync(store, key, isForCommit: true, CancellationToken.None);

            // :: Step 2: decide.
            while (_queue.Count > 0 && !batch.IsFull)
            {
                var decision = _queue.Peek();
                if (proof.IsNeeded && time.GetElapsedTime(decision.Queued) > LongestWait)
                {
                    _queue.Dequeue().Fail(PartitionFaults.Overloaded(key));
                    continue;
                }

                var outcome = decision.Decide(batch, loaded);
                if (outcome == DecisionOutcome.DoesNotFit)
                {
                    break;
                }

                if (outcome == DecisionOutcome.NeedsRows)
                {
                    await loaded.LoadMissingAsync(store, key, isForCommit: true, CancellationToken.None);
                    continue;
                }

                members.Add(_queue.Dequeue());
            }

            // :: Step 3: commit.
            if (batch.IsDue)
            {
                var since = proof.Now;
                Head = await CommitAsync(batch, members);
                proof.Extend(since);
            }
        }
        catch (Exception e)
        {
            Lose(e, members);
            return;
        }

        // :: Step 4: publish, then answer. A read that began before this sees that its validity has ended.
        if (batch.IsDue)
        {
            validity.Renew();
        }

        loaded.MoveToCache();
        batch.Publish(cache);
        foreach (var decision in members)
        {
            decision.Complete();
        }
    }

    private async Task<Head> CommitAsync(RowBatch batch, List<QueuedDecision> members)
    {
        var isEarly = members.TrueForAll(decision => decision.IsEarly);
        var commit = store.Queue(
            key,
            Head,
            batch.ToMutations(),
            batch.DependsOn,
            isDeferrable: isEarly && _queue.Count == 0);
        _isDeferred = isEarly;
        if (commit.Number is { } number)
        {
            foreach (var decision in members)
            {
                if (decision.IsEarly)
                {
                    decision.AnswerEarly(new CommitTicket(number.Value));
                }
            }
        }

        try
        {
            return await commit.Done;
        }
        finally
        {
            _isDeferred = false;
        }
    }
}
