using System.Runtime.CompilerServices;

namespace Granary.Storage.Partitions.Memory;

/// <summary>
/// Keeps partitions in memory, for tests. It is the smallest implementation of the contract, except that its rows end with the process.
/// </summary>
public sealed class MemoryPartitionStore : IPartitionStore
{
    private readonly Lock _lock = new();
    private readonly SortedDictionary<string, Stored> _partitions = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public ValueTask<Head> OpenAsync(PartitionKey partition, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            return ValueTask.FromResult(_partitions.TryGetValue(partition.Value, out var stored) ? stored.Head : Head.None);
        }
    }

    /// <inheritdoc/>
    public ValueTask<RowValues> GetAsync(
        PartitionKey partition,
        IReadOnlyList<string> keys,
        CancellationToken cancellationToken)
    {
        var values = new ReadOnlyMemory<byte>?[keys.Count];
        lock (_lock)
        {
            if (_partitions.TryGetValue(partition.Value, out var stored))
            {
                for (var i = 0; i < values.Length; i++)
                {
                    values[i] = stored.Rows.TryGetValue(keys[i], out var value) ? value : default(ReadOnlyMemory<byte>?);
                }
            }
        }

        return ValueTask.FromResult(new RowValues(values));
    }

    /// <inheritdoc/>
    public async ValueTask<RowPage> ScanAsync(
        PartitionKey partition,
        string prefix,
        string? after,
        int limit,
        CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        Row[] rows;
        lock (_lock)
        {
            rows = _partitions.TryGetValue(partition.Value, out var stored)
                ? [.. stored.Rows
                    .Where(row => row.Key.StartsWith(prefix, StringComparison.Ordinal) && string.CompareOrdinal(row.Key, after) > 0)
                    .Take(limit)
                    .Select(row => new Row(row.Key, row.Value))]
                : [];
        }

        // Answers asynchronously, as other stores do.
        await Task.Yield();
        return new RowPage(rows, More: rows.Length == limit);
    }

    /// <inheritdoc/>
    public ValueTask<Head> CommitAsync(
        PartitionKey partition,
        Head expected,
        IReadOnlyList<Mutation> batch,
        CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            var stored = _partitions.GetValueOrDefault(partition.Value) ?? new Stored();
            if (stored.Head != expected)
            {
                return ValueTask.FromException<Head>(new HeadMovedException(partition, expected));
            }

            foreach (var (key, value) in batch)
            {
                if (value is null && !stored.Rows.ContainsKey(key))
                {
                    // Other stores need not check this, so only tests find a caller that deletes a row twice.
                    return ValueTask.FromException<Head>(
                        new ArgumentException($"The batch deletes row '{key}' of '{partition}', which does not exist.", nameof(batch)));
                }
            }

            foreach (var (key, value) in batch)
            {
                if (value is { } bytes)
                {
                    stored.Rows[key] = bytes.ToArray();
                }
                else
                {
                    stored.Rows.Remove(key);
                }
            }

            stored.Head = new Head(expected.NextVersion);
            _partitions[partition.Value] = stored;
            return ValueTask.FromResult(stored.Head);
        }
    }

    /// <inheritdoc/>
    public ValueTask DropAsync(PartitionKey partition, Head expected, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if ((_partitions.GetValueOrDefault(partition.Value)?.Head ?? Head.None) != expected)
            {
                return ValueTask.FromException(new HeadMovedException(partition, expected));
            }

            _partitions.Remove(partition.Value);
            return ValueTask.CompletedTask;
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<PartitionKey> PartitionsAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        string[] names;
        lock (_lock)
        {
            names = [.. _partitions.Keys.Where(name => name.StartsWith(prefix, StringComparison.Ordinal))];
        }

        await Task.Yield();
        foreach (var name in names)
        {
            cancellationToken.ThrowIfCancellationRequested();
            yield return new PartitionKey(name);
        }
    }

    private sealed class Stored
    {
        public Head Head { get; set; }

        public SortedDictionary<string, ReadOnlyMemory<byte>> Rows { get; } = new(StringComparer.Ordinal);
    }
}
