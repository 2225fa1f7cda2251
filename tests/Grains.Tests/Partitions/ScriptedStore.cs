using Granary.Storage.Partitions;
using Granary.Storage.Partitions.Memory;

namespace Granary.Grains.Tests.Partitions;

/// <summary>A store in memory whose reads and commits tests can delay, count, or fail.</summary>
internal sealed class ScriptedStore : IPartitionStore
{
    private readonly MemoryPartitionStore _inner = new();

    public List<IReadOnlyList<Mutation>> Commits { get; } = [];

    /// <summary>Whether the store numbers its commits, from 1 on.</summary>
    public bool KeepsOrder { get; set; }

    public List<(IReadOnlyCollection<CommitNumber> DependsOn, bool IsDeferrable)> Queued { get; } = [];

    public int Flushes { get; private set; }

    public Func<Task>? BeforeCommit { get; set; }

    public Func<Task>? AfterCommit { get; set; }

    public Func<Task>? AfterRead { get; set; }

    public TimeSpan? ProofLifetime { get; set; }

    public BatchLimit BatchLimit { get; set; } = BatchLimit.Default;

    /// <summary>How often rows were read for a commit that follows.</summary>
    public int ReadsForCommit { get; private set; }

    /// <summary>How often the head was read.</summary>
    public int HeadReads { get; private set; }

    public Func<Task>? BeforeHeadRead { get; set; }

    public async ValueTask<Head> OpenAsync(PartitionKey partition, CancellationToken cancellationToken)
    {
        HeadReads++;
        await (BeforeHeadRead?.Invoke() ?? Task.CompletedTask);
        return await _inner.OpenAsync(partition, cancellationToken);
    }

    public async ValueTask<RowValues> GetAsync(
        PartitionKey partition,
        IReadOnlyList<string> keys,
        CancellationToken cancellationToken)
    {
        var rows = await _inner.GetAsync(partition, keys, cancellationToken);
        await (AfterRead?.Invoke() ?? Task.CompletedTask);
        return rows;
    }

    public ValueTask<RowValues> GetForCommitAsync(
        PartitionKey partition,
        IReadOnlyList<string> keys,
        CancellationToken cancellationToken)
    {
        ReadsForCommit++;
        return GetAsync(partition, keys, cancellationToken);
    }

    public ValueTask<RowPage> ScanAsync(
        PartitionKey partition,
        string prefix,
        string? after,
        int limit,
        CancellationToken cancellationToken) => _inner.ScanAsync(partition, prefix, after, limit, cancellationToken);

    public async ValueTask<Head> CommitAsync(
        PartitionKey partition,
        Head expected,
        IReadOnlyList<Mutation> batch,
        CancellationToken cancellationToken)
    {
        await (BeforeCommit?.Invoke() ?? Task.CompletedTask);
        var head = await _inner.CommitAsync(partition, expected, batch, cancellationToken);
        Commits.Add(batch);
        await (AfterCommit?.Invoke() ?? Task.CompletedTask);
        return head;
    }

    public QueuedCommit Queue(
        PartitionKey partition,
        Head expected,
        IReadOnlyList<Mutation> batch,
        IReadOnlyCollection<CommitNumber> dependsOn,
        bool isDeferrable)
    {
        Queued.Add((dependsOn, isDeferrable));
        var number = KeepsOrder ? new CommitNumber(Queued.Count) : default(CommitNumber?);
        return new QueuedCommit(number, CommitAsync(partition, expected, batch, CancellationToken.None).AsTask());
    }

    public void FlushDeferred() => Flushes++;

    public ValueTask DropAsync(PartitionKey partition, Head expected, CancellationToken cancellationToken) =>
        _inner.DropAsync(partition, expected, cancellationToken);

    public IAsyncEnumerable<PartitionKey> PartitionsAsync(string prefix, CancellationToken cancellationToken) =>
        _inner.PartitionsAsync(prefix, cancellationToken);
}
