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
        Assert.True(await Store.SealAsync(id, digest, content.Length, default));

        Assert.Equal(content, await ReadAsync(await Store.OpenAsync(id, digest, null, default)));
    }

    [Fact]
    public async Task Sealing_is_idempotent_and_a_missing_object_is_not_sealed()
    {
        var (id, digest) = (NewId(), DigestOf(new byte[10]));
        await WriteAsync(id, 1, 0, new byte[10]);

        Assert.True(await Store.SealAsync(id, digest, 10, default));
        Assert.True(await Store.SealAsync(id, digest, 10, default));
        Assert.False(await Store.SealAsync(NewId(), digest, 10, default));
    }

    [Fact]
    public async Task A_sealed_object_is_not_sealed_under_another_digest()
    {
        var id = NewId();
        await WriteAsync(id, 1, 0, [1, 2]);

        Assert.True(await Store.SealAsync(id, DigestOf([1, 2]), 2, default));
        Assert.False(await Store.SealAsync(id, DigestOf([3, 4]), 2, default));

        Assert.Null(await Store.OpenAsync(id, DigestOf([3, 4]), null, default));
        Assert.Equal([1, 2], await ReadAsync(await Store.OpenAsync(id, DigestOf([1, 2]), null, default)));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    [InlineData(20_000)]
    public async Task The_writer_of_the_whole_content_seals_it(int size)
    {
        var (id, content) = (NewId(), RegistryClient.RandomBytes(size));
        await using (var writer = (await Store.OpenWriterAsync(id, 1, 0, default))!)
        {
            await writer.WriteAsync(content, default);
            await writer.FlushAsync(DigestOf(content), default);
            Assert.True(await writer.SealAsync(DigestOf(content), default));
        }

        Assert.True(await Store.SealAsync(id, DigestOf(content), size, default));
        Assert.Equal(content, await ReadAsync(await Store.OpenAsync(id, DigestOf(content), null, default)));
    }

    [Fact]
    public async Task Sealing_cuts_off_bytes_that_do_not_count()
    {
        var id = NewId();
        await WriteAsync(id, 1, 0, [1, 2, 3, 4]);
        await WriteAsync(id, 2, 4, [5, 6]);

        Assert.True(await Store.SealAsync(id, DigestOf([1, 2, 3, 4]), 4, default));

        Assert.Equal([1, 2, 3, 4], await ReadAsync(await Store.OpenAsync(id, DigestOf([1, 2, 3, 4]), null, default)));
    }

    [Fact]
    public async Task A_new_writer_replaces_bytes_that_do_not_count()
    {
        var id = NewId();
        await WriteAsync(id, 1, 0, [1, 2, 3, 4]);
        await WriteAsync(id, 2, 4, [5, 6]);

        await WriteAsync(id, 3, 4, [7, 8]);
        Assert.True(await Store.SealAsync(id, DigestOf([1, 2, 3, 4, 7, 8]), 6, default));

        Assert.Equal([1, 2, 3, 4, 7, 8], await ReadAsync(await Store.OpenAsync(id, DigestOf([1, 2, 3, 4, 7, 8]), null, default)));
    }

    [Fact]
    public async Task An_object_that_has_lost_bytes_is_not_sealed()
    {
        var (shorter, missing) = (NewId(), NewId());
        await WriteAsync(shorter, 1, 0, [1, 2, 3]);
        foreach (var id in new[] { shorter, missing })
        {
            if (await Store.OpenWriterAsync(id, 2, 4, default) is { } writer)
            {
                await writer.WriteAsync(new byte[] { 5 }, default);
                await writer.FlushAsync(default);
                await writer.DisposeAsync();
            }

            Assert.False(await Store.SealAsync(id, DigestOf([1, 2, 3, 4, 5]), 5, default));
        }
    }

    [Fact]
    public async Task What_an_older_epoch_writes_does_not_count()
    {
        var id = NewId();
        await WriteAsync(id, 1, 0, [1]);
        await using var old = (await Store.OpenWriterAsync(id, 2, 1, default))!;
        await using var current = (await Store.OpenWriterAsync(id, 3, 1, default))!;

        await IgnoreFenceAsync(() => old.WriteAsync(new byte[] { 9, 9 }, default));
        await IgnoreFenceAsync(() => old.FlushAsync(default));
        await current.WriteAsync(new byte[] { 3 }, default);
        await current.FlushAsync(default);
        await IgnoreFenceAsync(() => old.WriteAsync(new byte[] { 9, 9 }, default));
        await IgnoreFenceAsync(() => old.FlushAsync(default));
        Assert.True(await Store.SealAsync(id, DigestOf([1, 3]), 2, default));
        await IgnoreFenceAsync(() => old.WriteAsync(new byte[] { 9 }, default));
        await IgnoreFenceAsync(() => old.FlushAsync(default));

        Assert.Equal([1, 3], await ReadAsync(await Store.OpenAsync(id, DigestOf([1, 3]), null, default)));
    }

    [Fact]
    public async Task What_is_written_after_a_delete_does_not_count()
    {
        var id = NewId();
        await using var writer = (await Store.OpenWriterAsync(id, 1, 0, default))!;
        await writer.WriteAsync(new byte[] { 1 }, default);
        await writer.FlushAsync(default);

        await Store.DeleteAsync(id, digest: null, default);
        await Store.DeleteAsync(id, digest: null, default);
        await IgnoreFenceAsync(() => writer.WriteAsync(new byte[] { 2 }, default));
        await IgnoreFenceAsync(() => writer.FlushAsync(default));

        Assert.False(await Store.SealAsync(id, DigestOf([1]), 1, default));
        Assert.Null(await Store.OpenAsync(id, DigestOf([1]), null, default));
    }

    [Fact]
    public async Task A_deleted_object_is_not_found()
    {
        var (id, content) = (NewId(), RegistryClient.RandomBytes(1000));
        await WriteAsync(id, 1, 0, content);
        await Store.SealAsync(id, DigestOf(content), 1000, default);

        await Store.DeleteAsync(id, DigestOf(content), default);
        await Store.DeleteAsync(id, DigestOf(content), default);

        Assert.Null(await Store.OpenAsync(id, DigestOf(content), null, default));
        Assert.False(await Store.SealAsync(id, DigestOf(content), 1000, default));
    }

    [Fact]
    public async Task An_object_that_only_may_be_sealed_is_deleted()
    {
        var id = NewId();
        await WriteAsync(id, 1, 0, [1, 2]);

        await Store.DeleteAsync(id, DigestOf([1, 2]), default);

        Assert.False(await Store.SealAsync(id, DigestOf([1, 2]), 2, default));
        await foreach (var item in Store.ListAsync(default))
        {
            Assert.NotEqual(id, item.Id);
        }
    }

    [Fact]
    public async Task An_unsealed_object_is_read_under_a_claim_and_goes_on()
    {
        var id = NewId();
        await WriteAsync(id, 1, 0, [1, 2]);
        await WriteAsync(id, 2, 2, [3, 4]);

        var read = await ReadAsync(await Store.OpenUnsealedAsync(id, 4, default));
        await WriteAsync(id, 3, 2, [5, 6, 7]);
        Assert.True(await Store.SealAsync(id, DigestOf([1, 2, 5, 6, 7]), 5, default));

        Assert.Equal([1, 2, 3, 4], read);
        Assert.Null(await Store.OpenUnsealedAsync(NewId(), 4, default));
        Assert.Equal([1, 2, 5, 6, 7], await ReadAsync(await Store.OpenAsync(id, DigestOf([1, 2, 5, 6, 7]), null, default)));
    }

    [Fact]
    public async Task Bytes_that_were_not_expected_are_read_too()
    {
        var (id, content) = (NewId(), RegistryClient.RandomBytes(100_000));
        await WriteAsync(id, 1, 0, content);
        await Store.SealAsync(id, DigestOf(content), content.Length, default);
        await using var reader = (await Store.OpenAsync(id, DigestOf(content), new ByteRange(1000, 500), default))!;

        Assert.Equal(content.Length, reader.Length);
        Assert.Equal(content[1000..1500], await ReadAsync(reader, 1000, 500));
        Assert.Equal(content[90_000..95_000], await ReadAsync(reader, 90_000, 5000));
        reader.Expect(new ByteRange(20_000, 30_000));
        Assert.Equal(content[20_000..50_000], await ReadAsync(reader, 20_000, 30_000));
    }

    [Fact]
    public async Task Several_ranges_are_read_at_once()
    {
        var (id, content) = (NewId(), RegistryClient.RandomBytes(200_000));
        var digest = DigestOf(content);
        await WriteAsync(id, 1, 0, content);
        await Store.SealAsync(id, digest, content.Length, default);
        await using var reader = (await Store.OpenAsync(id, digest, null, default))!;

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
        await Store.SealAsync(closed, digest, 3, default);

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
        await Store.SealAsync(id, DigestOf(content), content.Length, default);
        Assert.Equal(content, await ReadAsync(await Store.OpenAsync(id, DigestOf(content), null, default)));
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
            return await ReadAsync(reader!, 0, (int)reader!.Length);
        }
    }

    protected static async Task<byte[]> ReadAsync(IBlobReader reader, long start, int length)
    {
        var content = new byte[length];
        for (var done = 0; done < length;)
        {
            var count = await reader.ReadAsync(start + done, content.AsMemory(done), default);
            Assert.NotEqual(0, count);
            done += count;
        }

        return content;
    }

    private static async Task IgnoreFenceAsync(Func<ValueTask> call)
    {
        try
        {
            await call();
        }
        catch (EpochFencedException)
        {
            // A store may know of the newer epoch.
        }
    }
}
