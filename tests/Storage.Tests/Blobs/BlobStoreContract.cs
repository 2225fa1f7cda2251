using System.Security.Cryptography;
using Granary.Protocol;
using Granary.Storage.Blobs;

namespace Granary.Storage.Tests.Blobs;

/// <summary>The contract of <see cref="IBlobStore"/>, which every implementation passes.</summary>
public abstract class BlobStoreContract
{
    protected abstract IBlobStore Store { get; }

    [Theory]
    [InlineData(0, DigestAlgorithm.Sha256)]
    [InlineData(1, DigestAlgorithm.Sha512)]
    [InlineData(300_000, DigestAlgorithm.Sha256)]
    public async Task A_sealed_object_has_the_bytes_that_were_written(int size, DigestAlgorithm algorithm)
    {
        var content = RegistryClient.RandomBytes(size);
        var digest = Digest.Compute(algorithm, content);
        var id = NewId();

        await WriteAsync(id, 1, 0, content);
        Assert.True(await Store.SealAsync(id, digest, default));

        Assert.Equal(content, await ReadAsync(await Store.OpenAsync(id, digest, default)));
    }

    [Fact]
    public async Task Sealing_is_idempotent_and_a_missing_object_is_not_sealed()
    {
        var (id, digest) = (NewId(), DigestOf(new byte[10]));
        await WriteAsync(id, 1, 0, new byte[10]);

        Assert.True(await Store.SealAsync(id, digest, default));
        Assert.True(await Store.SealAsync(id, digest, default));
        Assert.False(await Store.SealAsync(NewId(), digest, default));
    }

    [Fact]
    public async Task A_new_writer_truncates_the_object_to_its_offset()
    {
        var id = NewId();
        await WriteAsync(id, 1, 0, [1, 2, 3, 4, 5, 6]);

        await WriteAsync(id, 2, 4, [7, 8]);

        Assert.Equal([1, 2, 3, 4, 7, 8], await ReadAsync(await Store.OpenUnsealedAsync(id, default)));
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

        Assert.Equal([1, 3], await ReadAsync(await Store.OpenUnsealedAsync(id, default)));
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
            await Store.SealAsync(id, DigestOf([1]), default);
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
        await Store.SealAsync(id, digest, default);
        var reader = await Store.OpenAsync(id, digest, default);

        await Store.DeleteAsync(id, digest, default);
        await Store.DeleteAsync(id, digest, default);

        Assert.Null(await Store.OpenAsync(id, digest, default));
        Assert.Equal(content, await ReadAsync(reader));
    }

    [Fact]
    public async Task Several_ranges_are_read_at_once()
    {
        var (id, content) = (NewId(), RegistryClient.RandomBytes(200_000));
        var digest = DigestOf(content);
        await WriteAsync(id, 1, 0, content);
        await Store.SealAsync(id, digest, default);
        await using var reader = (await Store.OpenAsync(id, digest, default))!;

        await Parallel.ForAsync(0, 100, async (i, cancellationToken) =>
        {
            var buffer = new byte[1000];
            Assert.Equal(1000, await reader.ReadAsync(i * 2000, buffer, cancellationToken));
            Assert.Equal(content.AsSpan(i * 2000, 1000).ToArray(), buffer);
        });
        Assert.Equal(0, await reader.ReadAsync(200_000, new byte[10], default));
    }

    [Fact]
    public async Task Sealed_and_unsealed_objects_are_listed()
    {
        var (open, closed) = (NewId(), NewId());
        var digest = DigestOf([1, 2, 3]);
        await WriteAsync(open, 1, 0, [1]);
        await WriteAsync(closed, 1, 0, [1, 2, 3]);
        await Store.SealAsync(closed, digest, default);

        var listed = new List<StoredObject>();
        await foreach (var item in Store.ListAsync(default))
        {
            listed.Add(item);
        }

        Assert.Contains(listed, item => item.Id == open && item.Digest is null && item.Length == 1);
        Assert.Contains(listed, item => item.Id == closed && item.Digest == digest && item.Length == 3);
    }

    [Fact]
    public async Task A_writable_store_passes_its_check() => await Store.CheckAsync(default);

    [Fact]
    public async Task Many_objects_are_written_at_once() => await Parallel.ForAsync(0, 64, async (_, _) =>
    {
        var (id, content) = (NewId(), RegistryClient.RandomBytes(50_000));
        await WriteAsync(id, 1, 0, content);
        await Store.SealAsync(id, DigestOf(content), default);
        Assert.Equal(content, await ReadAsync(await Store.OpenAsync(id, DigestOf(content), default)));
    });

    protected static ObjectId NewId() => ObjectId.FromRandom(RandomNumberGenerator.GetBytes(16));

    protected static Digest DigestOf(byte[] content) => Digest.Compute(DigestAlgorithm.Sha256, content);

    protected async Task WriteAsync(ObjectId id, long epoch, long offset, byte[] content)
    {
        await using var writer = (await Store.OpenWriterAsync(id, epoch, offset, default))!;
        foreach (var part in content.Chunk(7000))
        {
            await writer.WriteAsync(part, default);
        }

        Assert.Equal(offset + content.Length, writer.Length);
        await writer.FlushAsync(default);
    }

    protected static async Task<byte[]> ReadAsync(IBlobReader? reader)
    {
        await using (reader)
        {
            var content = new byte[reader!.Length];
            for (var offset = 0; offset < content.Length;)
            {
                offset += await reader.ReadAsync(offset, content.AsMemory(offset), default);
            }

            return content;
        }
    }
}
