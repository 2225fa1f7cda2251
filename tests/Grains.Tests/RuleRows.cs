using Granary.Grains.Partitions;
using Granary.Storage.Partitions;
using Granary.Storage.Partitions.Memory;

namespace Granary.Grains.Tests;

/// <summary>The rows of one partition, and rules that decide over them without a grain.</summary>
internal sealed class RuleRows
{
    private static readonly PartitionKey Key = new("test/rules");

    private readonly MemoryPartitionStore _store = new();
    private Partition? _partition;

    /// <summary>Runs a rule and commits its changes.</summary>
    public async Task<T> DecideAsync<T>(Func<RowBatch, T> rule)
    {
        if (_partition is null)
        {
            _partition = new Partition(_store, Key, onLost: _ => { });
            await _partition.OpenAsync(CancellationToken.None);
        }

        return await _partition.DecideAsync([], rule, CancellationToken.None);
    }

    /// <summary>Returns the committed keys.</summary>
    public async Task<List<string>> KeysAsync()
    {
        var keys = new List<string>();
        await foreach (var page in _store.PagesAsync(Key, prefix: "", after: null, CancellationToken.None))
        {
            keys.AddRange(page.Select(row => row.Key));
        }

        return keys;
    }
}
