using Granary.Grains.Repositories;
using Granary.Grains.Repositories.History;
using Granary.Storage;
using Granary.Storage.Partitions;

namespace Granary.Simulation.Tests;

/// <summary>
/// A real store behind pauses and faults. It notes the rows for the checks. In every other world it commits in the order of arrival, as the
/// embedded store does: commits that are queued together are one transaction, and a deferred commit waits for a flush or for the next
/// commit. In the others it is that of a cluster: commits have no order, and take effect at any later time.
/// </summary>
internal sealed class SimulatedStore(World world, IPartitionStore inner) : IPartitionStore
{
    private const int PageRows = 3;

    private readonly List<Waiting> _queue = [];
    private readonly HashSet<CommitNumber> _committed = [];
    private long _lastNumber;

    /// <summary>The committed rows of all partitions.</summary>
    public SortedDictionary<string, SortedDictionary<string, ReadOnlyMemory<byte>>> Rows { get; } = new(StringComparer.Ordinal);

    /// <summary>Whether a batch was committed since this was last set to false.</summary>
    public bool HasChanged { get; set; }

    public long Commits { get; private set; }

    public long Refused { get; private set; }

    /// <summary>The number of commits that are on their way to the store.</summary>
    public int Committing { get; private set; }

    public TimeSpan? ProofLifetime => world.OthersMayWrite && world.Ablation?.HidesOthers != true ? TimeSpan.FromSeconds(5) : null;

    public BatchLimit BatchLimit => inner.BatchLimit;

    public async ValueTask<Head> OpenAsync(PartitionKey partition, CancellationToken cancellationToken)
    {
        await world.Scheduler.PauseAsync();
        return Scheduler.Outside(() => inner.OpenAsync(partition, cancellationToken));
    }

    public async ValueTask<RowValues> GetAsync(
        PartitionKey partition,
        IReadOnlyList<string> keys,
        CancellationToken cancellationToken)
    {
        await world.Scheduler.PauseAsync();
        return Scheduler.Outside(() => inner.GetAsync(partition, keys, cancellationToken));
    }

    public async ValueTask<RowPage> ScanAsync(
        PartitionKey partition,
        string prefix,
        string? after,
        int limit,
        CancellationToken cancellationToken)
    {
        await world.Scheduler.PauseAsync();
        return Scheduler.Outside(() => inner.ScanAsync(partition, prefix, after, Math.Min(limit, PageRows), cancellationToken));
    }

    public async ValueTask<Head> CommitAsync(
        PartitionKey partition,
        Head expected,
        IReadOnlyList<Mutation> batch,
        CancellationToken cancellationToken)
    {
        Committing++;
        var done = new TaskCompletionSource<Head>();

        // The commit goes on if the activation that made it dies, and another activation may commit before it. That of a new session is not
        // later than its sweep (LifetimeOptions.BeginMargin).
        var isRepository = partition.Value.StartsWith(RepositoryRows.PartitionPrefix, StringComparison.Ordinal);
        var pauses = world.IsWild && isRepository && world.Random.Next(8) == 0 ? 1 + world.Random.Next(60) : 1;
        world.Spawn("store", async () =>
        {
            for (; pauses > 0; pauses--)
            {
                await world.Scheduler.PauseAsync();
            }

            Committing--;
            Land(partition, expected, batch, done);
        });
        var head = await done.Task;

        // An activation that has died meanwhile gets no answer.
        await world.Scheduler.PauseAsync();
        return head;
    }

    public QueuedCommit Queue(
        PartitionKey partition,
        Head expected,
        IReadOnlyList<Mutation> batch,
        IReadOnlyCollection<CommitNumber> dependsOn,
        bool isDeferrable)
    {
        if (!world.KeepsOrder)
        {
            return dependsOn.Count == 0
                ? new QueuedCommit(Number: null, CommitAsync(partition, expected, batch, CancellationToken.None).AsTask())
                : throw new InvalidOperationException("This store numbers no commits, so none can depend on another.");
        }

        var commit = new Waiting(new CommitNumber(++_lastNumber), partition, expected, batch, dependsOn) { IsFlushed = !isDeferrable };
        _queue.Add(commit);
        Committing++;

        // The store goes on if the activation that queued the commit dies.
        world.Spawn("store", async () =>
        {
            for (var pauses = 1 + world.Random.Next(40); pauses > 0 && !commit.IsFlushed && !commit.IsDone; pauses--)
            {
                await world.Scheduler.PauseAsync();
            }

            await world.Scheduler.PauseAsync();
            if (!commit.IsDone)
            {
                var index = _queue.IndexOf(commit);
                Transact(_queue[..(index + 1 + world.Random.Next(_queue.Count - index))]);
            }
        });
        return new QueuedCommit(commit.Number, AwaitAsync(commit));
    }

    public void FlushDeferred() => _queue.ForEach(commit => commit.IsFlushed = true);

    public async ValueTask DropAsync(PartitionKey partition, Head expected, CancellationToken cancellationToken)
    {
        await world.Scheduler.PauseAsync();
        Scheduler.Outside(async () =>
        {
            await inner.DropAsync(partition, expected, cancellationToken);
            return true;
        });
        Rows.Remove(partition.Value);
        world.Note($"drop {partition}");
        HasChanged = true;
        await world.Scheduler.PauseAsync();
    }

    public IAsyncEnumerable<PartitionKey> PartitionsAsync(string prefix, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    /// <summary>Returns the rows of a partition whose keys begin with a prefix.</summary>
    public IEnumerable<(string Key, ReadOnlyMemory<byte> Value)> Find(string partition, string prefix) =>
        Rows.TryGetValue(partition, out var rows)
            ? rows.Where(row => row.Key.StartsWith(prefix, StringComparison.Ordinal)).Select(row => (row.Key, row.Value))
            : [];

    public ReadOnlyMemory<byte>? Get(string partition, string key) =>
        Rows.TryGetValue(partition, out var rows) && rows.TryGetValue(key, out var value) ? value : default(ReadOnlyMemory<byte>?);

    /// <summary>Changes rows without the knowledge of the grains, as another activation does.</summary>
    public void Tamper(string partition, params Mutation[] batch)
    {
        var key = new PartitionKey(partition);
        var head = Scheduler.Outside(() => inner.OpenAsync(key, CancellationToken.None));
        Scheduler.Outside(() => inner.CommitAsync(key, head, batch, CancellationToken.None));
        Note(key, batch);
    }

    private void Land(PartitionKey partition, Head expected, IReadOnlyList<Mutation> batch, TaskCompletionSource<Head> done)
    {
        var fault = DrawFault();
        try
        {
            var head = IsBefore(fault) ? throw NotDone() : Commit(partition, expected, batch);
            done.SetResult(IsAfter(fault) ? throw DoneWithoutAnswer() : head);
        }
        catch (Exception e) when (Clients.IsExpected(e))
        {
            done.SetException(e);
        }
    }

    private async Task<Head> AwaitAsync(Waiting commit)
    {
        var head = await commit.Outcome.Task;

        // An activation that has died meanwhile gets no answer.
        await world.Scheduler.PauseAsync();
        return head is { } done ? done : throw commit.Failure!;
    }

    private void Transact(List<Waiting> group)
    {
        _queue.RemoveRange(0, group.Count);
        Committing -= group.Count;
        var fault = DrawFault();
        foreach (var commit in group)
        {
            Head? head = null;
            try
            {
                if (IsBefore(fault))
                {
                    throw NotDone();
                }

                if (world.Ablation?.IgnoresDependencies != true && !commit.DependsOn.All(_committed.Contains))
                {
                    throw new StorageException(StorageFault.Unavailable, "A commit that this one depends on has failed.");
                }

                head = Commit(commit.Partition, commit.Expected, commit.Batch);
                _committed.Add(commit.Number);
                commit.Failure = IsAfter(fault) ? DoneWithoutAnswer() : null;
            }
            catch (Exception e) when (Clients.IsExpected(e))
            {
                commit.Failure = e;
            }

            commit.Outcome.SetResult(commit.Failure is null ? head : null);
        }

        if (IsAfter(fault))
        {
            // The store does not know the outcome either, so no later commit can depend on these.
            _committed.ExceptWith(group.Select(commit => commit.Number));
        }
    }

    private Head Commit(PartitionKey partition, Head expected, IReadOnlyList<Mutation> batch)
    {
        if (world.Ablation?.IgnoresHeads == true)
        {
            expected = Scheduler.Outside(() => inner.OpenAsync(partition, CancellationToken.None));
        }

        if (world.Ablation?.LosesLines == true && world.Random.Next(20) == 0)
        {
            batch = [.. batch.Where(row => row.Value is null || !row.Key.StartsWith(LogRows.Prefix, StringComparison.Ordinal))];
        }

        batch = world.Ablation?.Change(batch) ?? batch;
        try
        {
            var head = Scheduler.Outside(() => inner.CommitAsync(partition, expected, batch, CancellationToken.None));
            Note(partition, batch);
            return head;
        }
        catch (HeadMovedException)
        {
            world.Note($"refused {partition}");
            Refused++;
            throw;
        }
    }

    private double DrawFault() => world.IsWild ? world.Random.NextDouble() : 0.5;

    private bool IsBefore(double fault) => fault < world.FailedCommits;

    private bool IsAfter(double fault) => fault > 1 - world.FailedCommits;

    /// <summary>The first deleted row that did not exist. A store may refuse such a commit.</summary>
    public string? DeletedMissingRow { get; private set; }

    private StorageException NotDone() => new(world.Random.Next(2) == 0 ? StorageFault.Full : StorageFault.Unavailable, "Not done.");

    private static StorageException DoneWithoutAnswer() => new(StorageFault.Unavailable, "Done, but the answer is lost.");

    private void Note(PartitionKey partition, IReadOnlyList<Mutation> batch)
    {
        Commits++;
        HasChanged = true;
        if (world.Trace is not null)
        {
            var changes = batch.Select(mutation => (mutation.Value is null ? "-" : "+") + mutation.Key);
            world.Note($"commit {partition}: {string.Join(", ", changes)}");
        }

        if (!Rows.TryGetValue(partition.Value, out var rows))
        {
            Rows[partition.Value] = rows = new SortedDictionary<string, ReadOnlyMemory<byte>>(StringComparer.Ordinal);
        }

        foreach (var mutation in batch)
        {
            if (mutation.Value is { } value)
            {
                rows[mutation.Key] = value;
            }
            else if (!rows.Remove(mutation.Key))
            {
                DeletedMissingRow ??= $"{partition}: {mutation.Key}";
            }
        }

        world.Log.NoteCommit(partition.Value, batch, rows);
        world.Orders.NoteCommit(partition.Value, batch);
    }

    private sealed record Waiting(
        CommitNumber Number,
        PartitionKey Partition,
        Head Expected,
        IReadOnlyList<Mutation> Batch,
        IReadOnlyCollection<CommitNumber> DependsOn)
    {
        /// <summary>The new head; null if the commit failed, or its outcome is unknown.</summary>
        public TaskCompletionSource<Head?> Outcome { get; } = new();

        public bool IsDone => Outcome.Task.IsCompleted;

        public bool IsFlushed { get; set; }

        public Exception? Failure { get; set; }
    }
}
