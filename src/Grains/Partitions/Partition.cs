using System.Runtime.CompilerServices;
using Granary.Grains.Interfaces;
using Granary.Storage;
using Granary.Storage.Partitions;

namespace Granary.Grains.Partitions;

/// <summary>
/// A grain's hold on its partition: one loop that merges decisions into batches, commits them under compare-and-swap and publishes them, and reads that never see
/// what is not durable. README.md of this folder states the law. Not thread safe: it lives in the turns of one grain.
/// </summary>
internal sealed class Partition
{
    // A batch stops growing here: one commit of 1 MiB takes a few milliseconds, and nobody should wait longer for others.
    private const int MaxBatchBytes = 1024 * 1024;

    // Enough for the rows of a few hundred images; an idle repository uses none of it.
    private const int CacheBytes = 1024 * 1024;

    // A read that was overtaken this often by commits queues up as a decision instead.
    private const int MaxOvertaken = 3;

    private readonly IPartitionStore _store;
    private readonly PartitionKey _key;
    private readonly Action<Exception> _onLost;
    private readonly RowCache _cache = new(CacheBytes);
    private readonly CachedRows _cached;
    private readonly Queue<Pending> _queue = new();
    private Head _head;
    private Moment _moment = new();
    private bool _isSilent;
    private bool _committing;
    private bool _isPromised;
    private Task _work = Task.CompletedTask;
    private Exception? _lost;

    public Partition(IPartitionStore store, PartitionKey key, Action<Exception> onLost)
    {
        (_store, _key, _onLost) = (store, key, onLost);
        _cached = new CachedRows(_cache);
    }

    /// <summary>The version that the next commit can have at the earliest.</summary>
    public long NextVersion => _head.Version + 1;

    /// <summary>The moment that is now: what is read from here on stays true while it lasts.</summary>
    public Moment Moment => _moment;

    /// <summary>Reads where the partition stands. Called once, before anything else.</summary>
    public async Task OpenAsync(CancellationToken cancellationToken)
    {
        try
        {
            _head = await _store.OpenAsync(_key, cancellationToken);
        }
        catch (StorageException e)
        {
            throw Translate(e);
        }
    }

    /// <summary>
    /// Queues a decision and waits until it is durable. <paramref name="decide"/> runs in the loop, maybe more than once (<see cref="RowView"/>); if it throws,
    /// only its caller fails.
    /// </summary>
    /// <param name="needs">
    /// Keys, and prefixes with the slash at their end, that it will ask for, as far as they are known beforehand: loaded for all queued decisions at once.
    /// </param>
    /// <param name="decide">The rule.</param>
    /// <param name="cancellationToken">Ends the caller's wait; the decision may be committed all the same.</param>
    public Task<T> DecideAsync<T>(IReadOnlyList<string> needs, Func<RowBatch, T> decide, CancellationToken cancellationToken) =>
        EnqueueAsync(new Pending<T>(needs, decide, restsOn: [], isPromise: null), cancellationToken);

    /// <summary>The same for a decision that is worth nothing without what other grains have begun to commit for it.</summary>
    /// <param name="needs">As above.</param>
    /// <param name="decide">The rule.</param>
    /// <param name="restsOn">What they said; null where it is durable. If one of these commits fails, this one does.</param>
    /// <param name="cancellationToken">Ends the caller's wait.</param>
    public Task<T> DecideAsync<T>(IReadOnlyList<string> needs, Func<RowBatch, T> decide, CommitTicket?[] restsOn, CancellationToken cancellationToken) =>
        EnqueueAsync(new Pending<T>(needs, decide, restsOn, isPromise: null), cancellationToken);

    /// <summary>
    /// Queues a decision and, if the store allows it, answers before it is durable, with a ticket: for callers that then commit something that rests on it, and tell nobody before that is durable.
    /// </summary>
    /// <param name="needs">As above.</param>
    /// <param name="decide">The rule.</param>
    /// <param name="isPromise">Whether an answer may be given ahead; others are given when they are durable.</param>
    /// <param name="cancellationToken">Ends the caller's wait.</param>
    public async Task<(T Answer, CommitTicket? Ticket)> DecideAheadAsync<T>(
        IReadOnlyList<string> needs,
        Func<RowBatch, T> decide,
        Func<T, bool> isPromise,
        CancellationToken cancellationToken)
    {
        var pending = new Pending<T>(needs, decide, restsOn: [], isPromise);
        return (await EnqueueAsync(pending, cancellationToken), pending.Ticket);
    }

    private Task<T> EnqueueAsync<T>(Pending<T> pending, CancellationToken cancellationToken)
    {
        if (_lost is not null)
        {
            return Task.FromException<T>(Translate(_lost));
        }

        _queue.Enqueue(pending);
        if (!_committing)
        {
            _work = CommitQueuedAsync();
        }
        else if (_isPromised)
        {
            // What was promised is not waited for by anybody; now it is.
            _store.Hurry();
        }

        return cancellationToken.CanBeCanceled ? pending.Answer.WaitAsync(cancellationToken) : pending.Answer;
    }

    /// <summary>Answers from committed rows; completes synchronously where they are in memory.</summary>
    /// <param name="needs">Keys and prefixes that the rule will ask for, as far as they are known beforehand.</param>
    /// <param name="read">The rule, run maybe more than once.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    public ValueTask<T> ReadAsync<T>(IReadOnlyList<string> needs, Func<RowView, T> read, CancellationToken cancellationToken)
    {
        _cached.Reset();
        try
        {
            var answer = read(_cached);
            if (!_cached.HasMissed)
            {
                return ValueTask.FromResult(answer);
            }
        }
        catch (Exception) when (_cached.HasMissed)
        {
            // It took an absent row for a fault, and the row is only not in memory.
        }

        return LoadAndReadAsync(needs, read, cancellationToken);
    }

    private async ValueTask<T> LoadAndReadAsync<T>(IReadOnlyList<string> needs, Func<RowView, T> read, CancellationToken cancellationToken)
    {
        var loaded = new LoadedRows(_cache);
        var view = new CommittedRows(loaded);
        var moment = _moment;
        var overtaken = 0;
        Name(needs, loaded);
        while (true)
        {
            if (loaded.HasMissed)
            {
                await LoadAsync(loaded, cancellationToken);
                if (_moment != moment)
                {
                    // What was loaded before the publish and what is read from the cache after it are of two moments.
                    if (++overtaken > MaxOvertaken)
                    {
                        return await DecideAsync(needs, read, cancellationToken);
                    }

                    loaded.Forget();
                    moment = _moment;
                }
            }

            if (TryRun(read, view, loaded, out var answer))
            {
                loaded.MoveToCache();
                return answer;
            }
        }
    }

    /// <summary>Reads rows in order, straight from the store: for lists that may be long.</summary>
    public async IAsyncEnumerable<Row> ScanAsync(string prefix, string? after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var page in PagesAsync(prefix, after, cancellationToken))
        {
            for (var i = 0; i < page.Count; i++)
            {
                yield return page[i];
            }
        }
    }

    /// <summary>
    /// Lists rows by what their keys say behind a prefix, straight from the store. By the page, since a step to each row would be what a list of thousands costs, and in
    /// parts, since one list that grows is copied again and again, and is a large object to the collector.
    /// </summary>
    /// <param name="prefix">What the keys begin with.</param>
    /// <param name="after">What follows the prefix in the key behind which the list begins; null for the first.</param>
    /// <param name="limit">How many at most.</param>
    /// <param name="parse">Makes of what follows the prefix what is listed.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <returns>What is listed, and whether others follow; of a list of none that is not looked up.</returns>
    public async Task<(T[] Items, bool More)> ListAsync<T>(string prefix, string? after, int limit, Func<string, T> parse, CancellationToken cancellationToken)
    {
        if (limit == 0)
        {
            return ([], false);
        }

        var (parts, count, more) = (new List<T[]>(), 0, false);
        await foreach (var rows in PagesAsync(prefix, after is null ? null : prefix + after, cancellationToken))
        {
            var part = new T[Math.Min(rows.Count, limit - count)];
            for (var i = 0; i < part.Length; i++)
            {
                part[i] = parse(rows[i].Key[prefix.Length..]);
            }

            parts.Add(part);
            count += part.Length;
            more = part.Length < rows.Count;
            if (more)
            {
                break;
            }
        }

        var items = new T[count];
        var filled = 0;
        foreach (var part in parts)
        {
            part.CopyTo(items, filled);
            filled += part.Length;
        }

        return (items, more);
    }

    private async IAsyncEnumerable<IReadOnlyList<Row>> PagesAsync(string prefix, string? after, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await using var pages = _store.PagesAsync(_key, prefix, after, cancellationToken).GetAsyncEnumerator(cancellationToken);
        while (true)
        {
            try
            {
                if (!await pages.MoveNextAsync())
                {
                    yield break;
                }
            }
            catch (StorageException e)
            {
                throw Translate(e);
            }

            yield return pages.Current;
        }
    }

    /// <summary>Makes sure that nobody else has committed to the partition up to now: for an answer that is not a commit, and on which others rely for good.</summary>
    public async Task ConfirmAsync(CancellationToken cancellationToken)
    {
        Head before, found;
        do
        {
            // Behind what is queued here, so that it is not taken for somebody else's.
            await DecideAsync([], _ => true, cancellationToken);
            before = _head;
            try
            {
                found = await _store.OpenAsync(_key, cancellationToken);
            }
            catch (StorageException e)
            {
                throw Translate(e);
            }
        }
        while (_committing || before != _head);

        if (found != _head)
        {
            var stale = new HeadMovedException(_key, _head);
            Lose(stale, []);
            throw Translate(stale);
        }
    }

    /// <summary>Lets nothing be kept any more, and waits for what is on its way into the store: who opens the partition next is to find it there. Never throws.</summary>
    public Task SettleAsync()
    {
        FallSilent();
        if (_isPromised)
        {
            _store.Hurry();
        }

        return _work;
    }

    /// <summary>Removes the partition. Nothing can be decided here any more.</summary>
    public async Task DropAsync(CancellationToken cancellationToken)
    {
        // Behind everything that is queued: what this drops is what they left.
        await DecideAsync([], _ => true, cancellationToken);
        FallSilent();
        var reason = new StorageException(StorageFault.Unavailable, $"'{_key}' is being removed; try again.");
        _lost ??= reason;
        try
        {
            await _store.DropAsync(_key, _head, CancellationToken.None);
        }
        catch (Exception e) when (e is StorageException or HeadMovedException)
        {
            _onLost(e);
            throw Translate(e);
        }
    }

    private async Task CommitQueuedAsync()
    {
        _committing = true;
        try
        {
            while (_queue.Count > 0)
            {
                await CommitBatchAsync();
            }
        }
        finally
        {
            _committing = false;
        }
    }

    private async Task CommitBatchAsync()
    {
        var loaded = new LoadedRows(_cache);
        var batch = new RowBatch(loaded, _head.Version + 1);
        var members = new List<Pending>();
        try
        {
            // :: Step 1: load what the queued decisions said they need. It cannot go stale: this loop is the only writer.
            foreach (var pending in _queue)
            {
                Name(pending.Needs, loaded);
            }

            await loaded.LoadMissingAsync(_store, _key, CancellationToken.None);

            // :: Step 2: decide, in order, each over the rows and what those before it did.
            while (_queue.Count > 0 && batch.Bytes < MaxBatchBytes)
            {
                var pending = _queue.Dequeue();
                members.Add(pending);
                while (!pending.Decide(batch, loaded))
                {
                    await loaded.LoadMissingAsync(_store, _key, CancellationToken.None);
                }
            }

            // :: Step 3: make it true. A batch that changes nothing has nothing to commit.
            if (batch.IsDue)
            {
                _head = await CommitAsync(batch, members);
            }
        }
        catch (Exception e)
        {
            Lose(e, members);
            return;
        }

        // :: Step 4: publish, then answer. Reads that began before this notice it.
        if (batch.IsDue)
        {
            BeginMoment();
        }

        loaded.MoveToCache();
        batch.Publish(_cache);
        foreach (var pending in members)
        {
            pending.Publish();
        }
    }

    private async Task<Head> CommitAsync(RowBatch batch, List<Pending> members)
    {
        var isPromised = members.TrueForAll(pending => pending.IsPromise);
        var commit = _store.Queue(_key, new Head(batch.Version - 1), batch.ToMutations(), batch.RestsOn, canWait: isPromised && _queue.Count == 0);
        _isPromised = isPromised;
        if (commit.Number is { } number)
        {
            foreach (var pending in members)
            {
                if (pending.IsPromise)
                {
                    pending.Promise(new CommitTicket(number.Value));
                }
            }
        }

        try
        {
            return await commit.Done;
        }
        finally
        {
            _isPromised = false;
        }
    }

    /// <summary>
    /// Whether the batch was committed is not known, or another activation has committed: what this one believes is worth nothing from here on. Everything
    /// queued fails, and the grain makes place for an activation that reads again.
    /// </summary>
    private void Lose(Exception reason, List<Pending> members)
    {
        // First, so that who hears of it finds the activation gone.
        FallSilent();
        _lost = reason;
        _onLost(reason);
        var answer = Translate(reason);
        foreach (var pending in members)
        {
            pending.Fail(answer);
        }

        while (_queue.TryDequeue(out var pending))
        {
            pending.Fail(answer);
        }
    }

    private void BeginMoment()
    {
        _moment.End();
        _moment = new Moment();
        if (_isSilent)
        {
            _moment.End();
        }
    }

    /// <summary>What is read from here on is nothing to be kept: others may write to the partition.</summary>
    private void FallSilent()
    {
        _isSilent = true;
        _moment.End();
    }

    private async ValueTask LoadAsync(LoadedRows loaded, CancellationToken cancellationToken)
    {
        try
        {
            await loaded.LoadMissingAsync(_store, _key, cancellationToken);
        }
        catch (StorageException e)
        {
            throw Translate(e);
        }
    }

    private static void Name(IReadOnlyList<string> needs, LoadedRows loaded)
    {
        for (var i = 0; i < needs.Count; i++)
        {
            if (needs[i].EndsWith('/'))
            {
                _ = loaded.Scan(needs[i]);
            }
            else
            {
                _ = loaded.Get(needs[i]);
            }
        }
    }

    /// <summary>Runs a rule; false if it asked for rows that are not in memory, whatever it answered or threw.</summary>
    private static bool TryRun<TView, T>(Func<TView, T> rule, TView view, LoadedRows loaded, out T answer)
    {
        loaded.Missing.Clear();
        loaded.MissingPrefixes.Clear();
        try
        {
            answer = rule(view);
            return !loaded.HasMissed;
        }
        catch (Exception) when (loaded.HasMissed)
        {
            answer = default!;
            return false;
        }
    }

    private PartitionUnavailableException Translate(Exception reason) => Translate(reason, _key);

    /// <summary>What a fault of the store is to a grain's caller.</summary>
    public static PartitionUnavailableException Translate(Exception reason, PartitionKey partition) => reason switch
    {
        PartitionUnavailableException known => known,
        HeadMovedException => new(PartitionFault.Unavailable, $"Another activation serves '{partition}' now; try again."),
        StorageException { Fault: StorageFault.Full } => new(PartitionFault.Full, reason.Message),
        StorageException { Fault: StorageFault.ReadOnly } => new(PartitionFault.ReadOnly, reason.Message),
        StorageException { Fault: StorageFault.Damaged } => new(PartitionFault.Damaged, reason.Message),
        _ => new(PartitionFault.Unavailable, reason.Message),
    };

    private abstract class Pending(IReadOnlyList<string> needs)
    {
        public IReadOnlyList<string> Needs => needs;

        /// <summary>Runs the decision over the batch; false if rows have to be loaded first.</summary>
        public abstract bool Decide(RowBatch batch, LoadedRows loaded);

        /// <summary>Whether what was decided may be answered before it is durable.</summary>
        public abstract bool IsPromise { get; }

        /// <summary>Answers what was decided: it will be durable, or whatever rests on the ticket fails.</summary>
        public abstract void Promise(CommitTicket ticket);

        /// <summary>Answers what was decided: it is durable.</summary>
        public abstract void Publish();

        public abstract void Fail(Exception reason);
    }

    private sealed class Pending<T>(IReadOnlyList<string> needs, Func<RowBatch, T> decide, CommitTicket?[] restsOn, Func<T, bool>? isPromise) : Pending(needs)
    {
        private readonly TaskCompletionSource<T> _answer = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private T _decided = default!;
        private Exception? _refused;

        public Task<T> Answer => _answer.Task;

        /// <summary>What the answer rests on; null once it is durable.</summary>
        public CommitTicket? Ticket { get; private set; }

        public override bool IsPromise => isPromise is not null && _refused is null && isPromise(_decided);

        public override bool Decide(RowBatch batch, LoadedRows loaded)
        {
            batch.DropCurrent();
            try
            {
                if (!TryRun(decide, batch, loaded, out _decided))
                {
                    return false;
                }

                batch.AcceptCurrent(restsOn);
            }
            catch (Exception e)
            {
                // A decision that fails fails only itself.
                batch.FailCurrent();
                _refused = e;
            }

            return true;
        }

        public override void Promise(CommitTicket ticket)
        {
            Ticket = ticket;
            _answer.TrySetResult(_decided);
        }

        public override void Publish()
        {
            if (_refused is null)
            {
                _answer.TrySetResult(_decided);
            }
            else
            {
                _answer.TrySetException(_refused);
            }
        }

        public override void Fail(Exception reason) => _answer.TrySetException(reason);
    }
}
