using System.Text;
using Granary.Grains.GarbageCollection;
using Granary.Grains.Repositories;
using Granary.Storage.Partitions;
using Granary.Storage.Partitions.Memory;
using Granary.Testing;

namespace Granary.Grains.Tests.Cluster;

/// <summary>One silo over a store in memory. The test can read its rows and move its clock.</summary>
public abstract class GrainTest : IAsyncLifetime
{
    private GrainCluster? _cluster;

    private protected GrainCluster Cluster => _cluster!;

    protected MemoryPartitionStore Rows { get; } = new();

    protected FaultyPartitionStore Store { get; }

    protected ShiftedTime Time { get; } = new();

    protected GrainTest() => Store = new FaultyPartitionStore(Rows);

    /// <summary>The settings of collections.</summary>
    protected CollectionOptions Collection { get; } = new();

    /// <summary>The settings of the history.</summary>
    protected HistoryOptions History { get; } = new();

    public async Task InitializeAsync() => _cluster = await StartAsync();

    public async Task DisposeAsync() => await _cluster!.DisposeAsync();

    /// <summary>Starts another silo over the same rows. Its activations are new.</summary>
    private protected Task<GrainCluster> StartAsync() =>
        GrainCluster.StartAsync(Store, time: Time, collection: Collection, history: History);

    /// <summary>Returns the keys of a partition that begin with a prefix.</summary>
    protected async Task<List<string>> KeysAsync(string partition, string prefix)
    {
        var keys = new List<string>();
        await foreach (var page in Rows.PagesAsync(new PartitionKey(partition), prefix, after: null, CancellationToken.None))
        {
            keys.AddRange(page.Select(row => row.Key));
        }

        return keys;
    }

    protected async Task<long> VersionAsync(string partition) =>
        (await Rows.OpenAsync(new PartitionKey(partition), CancellationToken.None)).Version;

    protected static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    protected static async Task UntilAsync(Func<Task<bool>> condition)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(2));
        for (var i = 0; i < 5000; i++)
        {
            if (await condition())
            {
                return;
            }

            await timer.WaitForNextTickAsync();
        }

        Assert.Fail("The condition did not become true.");
    }
}
