using Granary.Protocol;
using Granary.Storage.Azure.Blobs;
using Granary.Storage.Blobs;
using Granary.Storage.Tests.Blobs;

namespace Granary.Storage.Tests.Azure;

[Collection(AzuriteCollection.Name)]
public sealed class BlobStoreTests(AzuriteFixture azurite) : BlobStoreContract, IAsyncLifetime
{
    // Uploads of the suite are small: with blocks of 4 MiB each would be a single block.
    private static readonly AzureBlobOptions SmallBlocks = new() { BlockSize = 16 * 1024 };

    private BlobContainer? _container;

    protected override IBlobStore Store => Container.Store;

    private BlobContainer Container => _container!;

    public async Task InitializeAsync() => _container = await BlobContainer.CreateAsync(azurite, SmallBlocks);

    public Task DisposeAsync() => Container.Client.DeleteAsync();

    [Fact]
    public async Task A_layer_of_one_block_is_one_request()
    {
        var (id, content) = (NewId(), RegistryClient.RandomBytes(10_000));
        await PushAsync(Store, id, content);

        Assert.Equal(["PUT"], Container.Requests.Requests);
    }

    [Fact]
    public async Task A_layer_in_one_request_is_its_blocks_and_one_commit()
    {
        var (id, content) = (NewId(), RegistryClient.RandomBytes(40_000));
        await PushAsync(Store, id, content);

        Assert.Equal(["PUT block", "PUT block", "PUT block", "PUT blocklist"], Container.Requests.Requests);
    }

    [Fact]
    public async Task Chunks_ask_nothing_before_the_seal()
    {
        var (id, content) = (NewId(), RegistryClient.RandomBytes(50_000));
        for (var i = 0; i < 5; i++)
        {
            await WriteAsync(id, i + 1, i * 10_000, content[(i * 10_000)..((i + 1) * 10_000)]);
        }

        Assert.True(await Store.SealAsync(id, DigestOf(content), content.Length, default));

        Assert.Equal([.. Enumerable.Repeat("PUT block", 5), "GET blocklist", "PUT blocklist"], Container.Requests.Requests);
    }

    [Fact]
    public async Task A_download_is_one_request()
    {
        var (id, content) = (NewId(), RegistryClient.RandomBytes(300_000));
        await PushAsync(Store, id, content);
        Container.Requests.Clear();

        await using (var reader = (await Store.OpenAsync(id, DigestOf(content), new ByteRange(0, content.Length), default))!)
        {
            reader.Expect(new ByteRange(0, content.Length));
            Assert.Equal(content, await ReadAsync(reader, 0, content.Length));
        }

        Assert.Equal(["GET"], Container.Requests.Requests);
    }

    [Fact]
    public async Task A_download_goes_on_after_its_connection_broke()
    {
        var (id, content) = (NewId(), RegistryClient.RandomBytes(3_000_000));
        await PushAsync(Store, id, content);
        var ranges = new List<string>();
        Container.Requests.Handle = async (message, next) =>
        {
            await next();
            message.Request.Headers.TryGetValue("x-ms-range", out var range);
            message.Request.Headers.TryGetValue("If-Match", out var tag);
            ranges.Add($"{range} {(tag is null ? "any" : "same")}");
            message.Response.ContentStream = new BreakingStream(message.Response.ContentStream!, 1_000_000);
        };

        await using var reader = (await Store.OpenAsync(id, DigestOf(content), new ByteRange(0, content.Length), default))!;
        var read = await ReadAsync(reader, 0, content.Length);

        Assert.Equal(content, read);
        Assert.True(ranges.Count >= 3, string.Join(", ", ranges));
        Assert.All(ranges.Skip(1), range => Assert.EndsWith(" same", range, StringComparison.Ordinal));
    }

    [Fact]
    public async Task An_open_reader_of_a_deleted_object_ends_with_a_fault_and_never_with_other_bytes()
    {
        var (id, content) = (NewId(), RegistryClient.RandomBytes(200_000));
        await PushAsync(Store, id, content);
        await using var reader = (await Store.OpenAsync(id, DigestOf(content), expected: null, default))!;

        await Store.DeleteAsync(id, DigestOf(content), default);
        await PushAsync(Store, id, RegistryClient.RandomBytes(200_000));

        var fault = await Assert.ThrowsAsync<StorageException>(() => reader.ReadAsync(100, new byte[100], default).AsTask());
        Assert.Equal(StorageFault.Unavailable, fault.Fault);
    }

    [Fact]
    public async Task Chunks_and_the_end_of_an_upload_come_through_different_processes()
    {
        var (id, content) = (NewId(), RegistryClient.RandomBytes(100_000));
        var (one, two) = (Container, Container.Again(azurite, SmallBlocks));
        await WriteAsync(id, 1, 0, content[..40_000]);

        await using (var writer = (await two.Store.OpenWriterAsync(id, 2, 40_000, default))!)
        {
            await writer.WriteAsync(content.AsMemory(40_000), default);
            await writer.FlushAsync(DigestOf(content), default);
            Assert.True(await writer.SealAsync(DigestOf(content), default));
        }

        Assert.Equal(content, await ReadAsync(await one.Store.OpenAsync(id, DigestOf(content), null, default)));
    }

    [Fact]
    public async Task More_pieces_than_an_object_can_have_are_refused_and_what_came_before_can_be_sealed()
    {
        var container = Container.Again(azurite, SmallBlocks with { MaxPieces = 8 });
        var (id, content) = (NewId(), RegistryClient.RandomBytes(9));
        for (var i = 0; i < 8; i++)
        {
            await AppendAsync(i);
        }

        var refused = await Assert.ThrowsAsync<TooManyPiecesException>(() => AppendAsync(8));

        Assert.Equal(8, refused.Pieces);
        Assert.True(await container.Store.SealAsync(id, DigestOf(content[..8]), 8, default));

        async Task AppendAsync(int at)
        {
            await using var writer = (await container.Store.OpenWriterAsync(id, at + 1, at, default))!;
            await writer.WriteAsync(content.AsMemory(at, 1), default);
            await writer.FlushAsync(default);
        }
    }

    [Fact]
    public async Task An_upload_with_many_claims_and_few_pieces_goes_on()
    {
        var container = Container.Again(azurite, SmallBlocks with { MaxPieces = 3 });
        var id = NewId();
        await WriteAsync(id, 1, 0, [1, 2]);

        await using var writer = await container.Store.OpenWriterAsync(id, 1000, 2, default);
        await writer!.WriteAsync(new byte[] { 3 }, default);
        await writer!.FlushAsync(default);

        Assert.True(await Store.SealAsync(id, DigestOf([1, 2, 3]), 3, default));
        Assert.Null(await container.Store.OpenWriterAsync(id, 1001, 100, default));
    }

    [Fact]
    public async Task The_age_of_an_upload_counts_from_its_last_block()
    {
        var id = NewId();
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(90));
        var store = new AzureBlobStore(Container.Client, SmallBlocks, time);
        await using var writer = (await store.OpenWriterAsync(id, 1, 0, default))!;
        await writer.WriteAsync(new byte[] { 1 }, default);
        await writer.FlushAsync(default);

        var stored = await FindAsync(id);

        Assert.Equal(time.GetUtcNow(), stored!.LastWrite);
    }

    [Fact]
    public async Task A_put_that_another_digest_has_won_is_not_sealed()
    {
        var id = NewId();
        await PushAsync(Store, id, [1, 2, 3]);

        await using var late = (await Store.OpenWriterAsync(id, 2, 0, default))!;
        await late.WriteAsync(new byte[] { 4, 5 }, default);
        await late.FlushAsync(DigestOf([4, 5]), default);

        Assert.False(await late.SealAsync(DigestOf([4, 5]), default));
        Assert.Equal([1, 2, 3], await ReadAsync(await Store.OpenAsync(id, DigestOf([1, 2, 3]), null, default)));
    }

    [Fact]
    public async Task Deleting_an_unsealed_object_spares_one_that_was_sealed_meanwhile()
    {
        var id = NewId();
        await PushAsync(Store, id, [1, 2, 3]);

        await Store.DeleteAsync(id, digest: null, default);

        Assert.Equal([1, 2, 3], await ReadAsync(await Store.OpenAsync(id, DigestOf([1, 2, 3]), null, default)));
    }

    private static async Task PushAsync(IBlobStore store, ObjectId id, byte[] content)
    {
        await using var writer = (await store.OpenWriterAsync(id, 1, 0, default))!;
        await writer.WriteAsync(content, default);
        await writer.FlushAsync(DigestOf(content), default);
        Assert.True(await writer.SealAsync(DigestOf(content), default));
    }

    private async Task<StoredObject?> FindAsync(ObjectId id)
    {
        await foreach (var stored in Store.ListAsync(default))
        {
            if (stored.Id == id)
            {
                return stored;
            }
        }

        return null;
    }
}
