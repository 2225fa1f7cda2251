using Granary.Storage;
using Granary.Storage.Partitions;

namespace Granary.Simulation.Tests;

/// <summary>A real store, behind pauses and faults; and what is in it, for the checks.</summary>
internal sealed class SimulatedStore(World world, IPartitionStore inner) : IPartitionStore
{
    private const int PageRows = 3;

    /// <summary>The committed rows of all partitions.</summary>
    public SortedDictionary<string, SortedDictionary<string, ReadOnlyMemory<byte>>> Rows { get; } = new(StringComparer.Ordinal);

    /// <summary>Whether anything was committed since this was last set to false.</summary>
    public bool HasChanged { get; set; }

    public long Commits { get; private set; }

    public long Refused { get; private set; }

    /// <summary>How many commits are on their way to the store.</summary>
    public int Committing { get; private set; }

    public async ValueTask<Head> OpenAsync(PartitionKey partition, CancellationToken cancellationToken)
    {
        await world.Scheduler.PauseAsync();
        return Scheduler.Outside(() => inner.OpenAsync(partition, cancellationToken));
    }

    public async ValueTask<IReadOnlyList<ReadOnlyMemory<byte>?>> GetAsync(PartitionKey partition, IReadOnlyList<string> keys, CancellationToken cancellationToken)
    {
        await world.Scheduler.PauseAsync();
        return Scheduler.Outside(() => inner.GetAsync(partition, keys, cancellationToken));
    }

    public async ValueTask<RowPage> ScanAsync(PartitionKey partition, string prefix, string? after, int limit, CancellationToken cancellationToken)
    {
        await world.Scheduler.PauseAsync();
        return Scheduler.Outside(() => inner.ScanAsync(partition, prefix, after, Math.Min(limit, PageRows), cancellationToken));
    }

    public async ValueTask<Head> CommitAsync(PartitionKey partition, Head expected, IReadOnlyList<Mutation> batch, CancellationToken cancellationToken)
    {
        Committing++;
        await world.Scheduler.PauseAsync();
        Committing--;
        var fault = world.IsWild ? world.Random.NextDouble() : 0.5;
        if (fault < world.FailedCommits)
        {
            throw new StorageException(world.Random.Next(2) == 0 ? StorageFault.Full : StorageFault.Unavailable, "Not done.");
        }

        if (world.Ablation?.IgnoresHeads == true)
        {
            expected = Scheduler.Outside(() => inner.OpenAsync(partition, cancellationToken));
        }

        Head head;
        try
        {
            head = Scheduler.Outside(() => inner.CommitAsync(partition, expected, batch, cancellationToken));
        }
        catch (HeadMovedException)
        {
            world.Note($"refused {partition}");
            Refused++;
            throw;
        }

        Note(partition, batch);
        if (fault > 1 - world.FailedCommits)
        {
            throw new StorageException(StorageFault.Unavailable, "Done, but nobody knows.");
        }

        await world.Scheduler.PauseAsync();
        return head;
    }

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

    public IAsyncEnumerable<PartitionKey> PartitionsAsync(string prefix, CancellationToken cancellationToken) => throw new NotSupportedException();

    /// <summary>The rows of a partition whose key begins with a prefix.</summary>
    public IEnumerable<(string Key, ReadOnlyMemory<byte> Value)> Find(string partition, string prefix) =>
        Rows.TryGetValue(partition, out var rows)
            ? rows.Where(row => row.Key.StartsWith(prefix, StringComparison.Ordinal)).Select(row => (row.Key, row.Value))
            : [];

    public ReadOnlyMemory<byte>? Get(string partition, string key) =>
        Rows.TryGetValue(partition, out var rows) && rows.TryGetValue(key, out var value) ? value : default(ReadOnlyMemory<byte>?);

    /// <summary>Changes rows behind the grains' back, as another activation does.</summary>
    public void Tamper(string partition, params Mutation[] batch)
    {
        var key = new PartitionKey(partition);
        var head = Scheduler.Outside(() => inner.OpenAsync(key, CancellationToken.None));
        Scheduler.Outside(() => inner.CommitAsync(key, head, batch, CancellationToken.None));
        Note(key, batch);
    }

    private void Note(PartitionKey partition, IReadOnlyList<Mutation> batch)
    {
        Commits++;
        HasChanged = true;
        if (world.Trace is not null)
        {
            world.Note($"commit {partition}: {string.Join(", ", batch.Select(mutation => (mutation.Value is null ? "-" : "+") + mutation.Key))}");
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
            else
            {
                rows.Remove(mutation.Key);
            }
        }
    }
}
