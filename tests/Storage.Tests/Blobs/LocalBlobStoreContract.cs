using Granary.Storage.Blobs;

namespace Granary.Storage.Tests.Blobs;

/// <summary>What a store promises beyond <see cref="BlobStoreContract"/> if one process has its objects for itself.</summary>
public abstract class LocalBlobStoreContract : BlobStoreContract
{
    [Fact]
    public async Task A_new_writer_truncates_the_object_to_its_offset()
    {
        var id = NewId();
        await WriteAsync(id, 1, 0, [1, 2, 3, 4, 5, 6]);

        await WriteAsync(id, 2, 4, [7, 8]);

        Assert.Equal([1, 2, 3, 4, 7, 8], await ReadAsync(await Store.OpenUnsealedAsync(id, 2, default)));
    }

    [Fact]
    public async Task An_object_that_is_shorter_than_the_offset_cannot_be_opened()
    {
        var id = NewId();
        await WriteAsync(id, 1, 0, [1, 2, 3]);

        Assert.Null(await Store.OpenWriterAsync(id, 2, 4, default));
        Assert.Null(await Store.OpenWriterAsync(NewId(), 1, 1, default));
    }

    [Fact]
    public async Task A_newer_epoch_fences_an_older_one()
    {
        var id = NewId();
        await using var old = (await Store.OpenWriterAsync(id, 1, 0, default))!;
        await old.WriteAsync(new byte[] { 1, 2 }, default);
        await using var current = (await Store.OpenWriterAsync(id, 2, 1, default))!;

        await Assert.ThrowsAsync<EpochFencedException>(() => old.WriteAsync(new byte[] { 9 }, default).AsTask());
        await Assert.ThrowsAsync<EpochFencedException>(() => old.FlushAsync(default).AsTask());
        await Assert.ThrowsAsync<EpochFencedException>(() => Store.OpenWriterAsync(id, 1, 0, default).AsTask());
        await current.WriteAsync(new byte[] { 3 }, default);
        await current.FlushAsync(default);

        Assert.Equal([1, 3], await ReadAsync(await Store.OpenUnsealedAsync(id, 2, default)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Sealing_and_deleting_fence_the_writer(bool seal)
    {
        var id = NewId();
        await using var writer = (await Store.OpenWriterAsync(id, 1, 0, default))!;
        await writer.WriteAsync(new byte[] { 1 }, default);
        await writer.FlushAsync(default);

        if (seal)
        {
            await Store.SealAsync(id, DigestOf([1]), 1, default);
        }
        else
        {
            await Store.DeleteAsync(id, digest: null, default);
        }

        await Assert.ThrowsAsync<EpochFencedException>(() => writer.WriteAsync(new byte[] { 2 }, default).AsTask());
    }

    [Fact]
    public async Task An_open_reader_reads_on_after_the_object_is_deleted()
    {
        var (id, content) = (NewId(), RegistryClient.RandomBytes(1000));
        var digest = DigestOf(content);
        await WriteAsync(id, 1, 0, content);
        await Store.SealAsync(id, digest, content.Length, default);
        var reader = await Store.OpenAsync(id, digest, null, default);

        await Store.DeleteAsync(id, digest, default);
        await Store.DeleteAsync(id, digest, default);

        Assert.Null(await Store.OpenAsync(id, digest, null, default));
        Assert.Equal(content, await ReadAsync(reader));
    }
}
