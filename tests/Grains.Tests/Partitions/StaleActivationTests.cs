using Granary.Grains.Blobs;
using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Leases;
using Granary.Grains.Partitions;
using Granary.Protocol;
using Granary.Storage.Partitions;

namespace Granary.Grains.Tests.Partitions;

/// <summary>
/// The answers of a stale activation. Some of its rows are cached and old, and it reads the others as they are now. So no answer of it may
/// count, even if its decision changes no row.
/// </summary>
public sealed class StaleActivationTests
{
    private static readonly PartitionKey Key = new("test/one");
    private static readonly LifetimeOptions Lifetimes = new();
    private static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private static readonly Digest Blob = Commands.DigestOf("blob");
    private static readonly RepositoryName One = RepositoryName.Parse("one");
    private static readonly RepositoryName Two = RepositoryName.Parse("two");

    private readonly ScriptedStore _store = new();

    [Fact]
    public async Task It_does_not_answer_an_acquire_with_content_from_its_cache()
    {
        var stale = await OpenAsync();
        await AcquireAsync(stale, Two, sequence: 1, new ObjectContent(Object(1), 10));
        var current = await OpenAsync();
        await current.DecideAsync(
            [],
            rows =>
            {
                // Object 1 is deleted, and repository one has pushed the content again. Its retry then reaches the stale activation.
                rows.Put(BlobRows.Blob(Blob), new BlobRow(Object(2), 10, References: 1, OrphanDue: null).Encode());
                rows.Put(BlobRows.Reference(Blob, One), new LeaseRow(5, Now, Renewals: 0).Encode());
                return true;
            },
            CancellationToken.None);

        var third = new ObjectContent(Object(3), 10);
        await Assert.ThrowsAsync<PartitionUnavailableException>(() => AcquireAsync(stale, One, sequence: 5, third));

        var acquired = Assert.IsType<Acquired>(await AcquireAsync(current, One, sequence: 5, third));
        Assert.Equal(new ObjectContent(Object(2), 10), acquired.Content);
    }

    [Fact]
    public async Task It_does_not_take_deleted_rows_for_damaged_ones()
    {
        var stale = await OpenAsync();
        await AcquireAsync(stale, Two, sequence: 1, new InlineContent([1, 2, 3]));
        var current = await OpenAsync();
        await current.DecideAsync(
            [],
            rows =>
            {
                rows.Delete(BlobRows.Blob(Blob));
                rows.Delete(BlobRows.Bytes(Blob));
                return true;
            },
            CancellationToken.None);

        await Assert.ThrowsAsync<PartitionUnavailableException>(() => AcquireAsync(stale, One, sequence: 2, content: null));

        Assert.IsType<AcquireUnknown>(await AcquireAsync(current, One, sequence: 2, content: null));
    }

    private static Task<AcquireAnswer> AcquireAsync(Partition shard, RepositoryName repository, long sequence, BlobContent? content) =>
        shard.DecideAsync(
            [],
            rows => AcquireRules.Acquire(rows, new AcquireBlob(Blob, content, repository, sequence, Now), Now, Lifetimes),
            CancellationToken.None);

    private static ObjectId Object(byte number) => ObjectId.FromRandom([.. Enumerable.Repeat(number, 16)]);

    private async Task<Partition> OpenAsync()
    {
        var partition = new Partition(_store, Key, _ => { });
        await partition.OpenAsync(CancellationToken.None);
        return partition;
    }
}
