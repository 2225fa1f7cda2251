using Azure.Core;
using Azure.Data.Tables;
using Granary.Storage.Azure;
using Granary.Storage.Azure.Tables;

namespace Granary.Storage.Tests.Azure;

/// <summary>A table of its own for one test, and stores over it.</summary>
internal sealed class TableHarness : IAsyncDisposable
{
    private readonly AzuriteFixture _azurite;

    private TableHarness(AzuriteFixture azurite) => _azurite = azurite;

    public string Name { get; } = AzuriteFixture.NewName();

    /// <summary>A client of the table, to look at its entities.</summary>
    public TableClient Table => _azurite.Account.CreateTableClient(new TableClientOptions()).GetTableClient(Name);

    public static async Task<TableHarness> CreateAsync(AzuriteFixture azurite)
    {
        var harness = new TableHarness(azurite);
        await TablePartitionStore.OpenAsync(azurite.Account, harness.Options, TimeProvider.System, default);
        return harness;
    }

    /// <summary>Makes a store, as a process of its own would have it.</summary>
    /// <param name="script">What happens to its requests.</param>
    /// <param name="time">The time of its pauses.</param>
    public TablePartitionStore NewStore(RequestScript? script = null, TimeProvider? time = null)
    {
        var throttled = new ThrottleCounter();
        var options = TablePartitionStore.ClientOptions(throttled, time ?? TimeProvider.System, TimeSpan.FromMilliseconds(1));
        if (script is not null)
        {
            options.AddPolicy(script, HttpPipelinePosition.PerRetry);
        }

        return new TablePartitionStore(_azurite.Account.CreateTableClient(options), Options, throttled, time ?? new InstantTime());
    }

    public async ValueTask DisposeAsync() => await Table.DeleteAsync();

    private TableStoreOptions Options => new() { TableName = Name };
}
