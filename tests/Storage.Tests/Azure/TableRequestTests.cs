using Granary.Storage.Azure.Tables;
using Granary.Storage.Partitions;

namespace Granary.Storage.Tests.Azure;

/// <summary>How many requests each call costs: the account bills and throttles by them.</summary>
[Collection(AzuriteCollection.Name)]
public sealed class TableRequestTests(AzuriteFixture azurite) : IAsyncLifetime
{
    private static readonly PartitionKey Key = new("test/requests");

    private readonly RequestScript _script = new();
    private TableHarness? _harness;
    private TablePartitionStore? _store;

    private TablePartitionStore Store => _store!;

    public async Task InitializeAsync()
    {
        _harness = await TableHarness.CreateAsync(azurite);
        _store = _harness.NewStore(_script);
    }

    public async Task DisposeAsync() => await _harness!.DisposeAsync();

    [Fact]
    public async Task A_batch_that_one_transaction_holds_is_one_request()
    {
        var head = await Store.CommitAsync(Key, Head.None, Rows(1), default);
        Assert.Equal("1 Transaction", _script.Take());

        head = await Store.CommitAsync(Key, head, Rows(Store.BatchLimit.Rows), default);
        Assert.Equal("1 Transaction", _script.Take());

        var value = new byte[Row.MaxValueLength];
        var rows = Enumerable.Range(0, Store.BatchLimit.Bytes / (value.Length + 10)).Select(i => Mutation.Put($"large/{i:d2}", value));
        head = await Store.CommitAsync(Key, head, [.. rows], default);
        Assert.Equal("1 Transaction", _script.Take());

        await Store.CommitAsync(Key, head, [], default);
        Assert.Equal("1 Transaction", _script.Take());
    }

    [Fact]
    public async Task A_batch_of_150_rows_is_two_transactions_and_three_small_requests()
    {
        await Store.CommitAsync(Key, Head.None, Rows(150), default);

        Assert.Equal("2 Transaction, 1 Query, 1 Write, 1 Delete", _script.Take());
    }

    [Fact]
    public async Task Rows_that_exist_need_one_read_of_the_head_and_absent_ones_two()
    {
        await Store.CommitAsync(Key, Head.None, Rows(20), default);
        _script.Take();

        await Store.GetAsync(Key, ["row/000"], default);
        Assert.Equal("2 Read", _script.Take());

        await Store.GetAsync(Key, [.. Enumerable.Range(0, 20).Select(i => $"row/{i:d3}")], default);
        Assert.Equal("21 Read", _script.Take());

        await Store.GetAsync(Key, ["none"], default);
        Assert.Equal("3 Read", _script.Take());

        await Store.GetAsync(new PartitionKey("none"), ["a", "b", "c"], default);
        Assert.Equal("1 Read", _script.Take());

        await Store.OpenAsync(Key, default);
        Assert.Equal("1 Read", _script.Take());

        await Store.GetForCommitAsync(Key, ["row/000", "none", "row/001"], default);
        Assert.Equal("3 Read", _script.Take());
    }

    [Fact]
    public async Task A_page_is_one_query_and_two_reads_of_the_head()
    {
        await Store.CommitAsync(Key, Head.None, Rows(90), default);
        _script.Take();

        Assert.Equal(64, (await Store.ScanAsync(Key, "row/", after: null, limit: 64, default)).Rows.Count);
        Assert.Equal("1 Query, 2 Read", _script.Take());

        Assert.Equal(26, (await Store.ScanAsync(Key, "row/", after: "row/063", limit: 64, default)).Rows.Count);
        Assert.Equal("1 Query, 2 Read", _script.Take());
    }

    [Fact]
    public async Task A_drop_of_a_small_partition_is_a_query_and_a_transaction()
    {
        var head = await Store.CommitAsync(Key, Head.None, Rows(99), default);
        _script.Take();

        await Store.DropAsync(Key, head, default);

        Assert.Equal("1 Transaction, 1 Query", _script.Take());
    }

    private static Mutation[] Rows(int count) =>
        [.. Enumerable.Range(0, count).Select(i => Mutation.Put($"row/{i:d3}", "value"u8.ToArray()))];
}
