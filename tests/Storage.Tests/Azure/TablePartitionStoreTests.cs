using Granary.Storage.Partitions;
using Granary.Storage.Tests.Partitions;

namespace Granary.Storage.Tests.Azure;

/// <summary>The contract of the partition store, over a table.</summary>
[Collection(AzuriteCollection.Name)]
public sealed class TablePartitionStoreTests(AzuriteFixture azurite) : PartitionStoreContract, IAsyncLifetime
{
    private TableHarness? _table;
    private IPartitionStore? _store;

    protected override IPartitionStore Store => _store!;

    protected override int ModelRuns => 20;

    public async Task InitializeAsync()
    {
        _table = await TableHarness.CreateAsync(azurite);
        _store = _table.NewStore();
    }

    public async Task DisposeAsync() => await _table!.DisposeAsync();
}
