using System.Security.Cryptography;
using Granary.Protocol;
using Granary.Storage.Azure.Blobs;
using Granary.Storage.Blobs;

namespace Granary.Storage.Tests.Azure;

/// <summary>A storage that is slower than the clients must not fill the memory.</summary>
[Collection(AzuriteCollection.Name)]
public sealed class BlobMemoryTests(AzuriteFixture azurite)
{
    private const int Uploads = 8;
    private const int InMemory = 5;

    private static readonly AzureBlobOptions Options = new() { BlockSize = 10_000, BlocksInFlight = 2, BlocksInMemory = InMemory };

    [Fact]
    public async Task Uploads_wait_while_the_storage_does_not_take_their_blocks()
    {
        var container = await BlobContainer.CreateAsync(azurite, Options);
        var (held, release) = (new HeldBlocks(), new TaskCompletionSource());
        container.Requests.Handle = async (message, next) =>
        {
            using var block = BlobRequestPolicy.KindOf(message) == "PUT block" ? held.Enter(message.Request.Uri.Path) : null;
            await release.Task;
            await next();
        };
        var contents = Enumerable.Range(0, Uploads).Select(_ => RegistryClient.RandomBytes(100_000)).ToArray();
        var ids = contents.Select(_ => ObjectId.FromRandom(RandomNumberGenerator.GetBytes(16))).ToArray();

        var uploads = contents.Zip(ids, (content, id) => PushAsync(container.Store, id, content)).ToArray();
        await held.UntilAsync(2);
        Assert.All(uploads, upload => Assert.False(upload.IsCompleted));
        release.SetResult();
        await Task.WhenAll(uploads);

        Assert.InRange(held.Most, 2, InMemory);
        Assert.InRange(held.MostOfOne, 1, 2);
        foreach (var (content, id) in contents.Zip(ids))
        {
            await using var reader = await container.Store.OpenAsync(id, Digest.Compute(DigestAlgorithm.Sha256, content), null, default);
            Assert.Equal(content.Length, reader!.Length);
        }
    }

    [Fact]
    public async Task Writers_that_end_early_give_their_memory_back()
    {
        var container = await BlobContainer.CreateAsync(azurite, Options with { BlocksInMemory = 1 });
        for (var i = 0; i < 20; i++)
        {
            await using var writer = (await container.Store.OpenWriterAsync(
                ObjectId.FromRandom(RandomNumberGenerator.GetBytes(16)),
                1,
                0,
                default))!;
            await writer.WriteAsync(new byte[5_000], default);
        }
    }

    [Fact]
    public async Task Large_blocks_of_several_uploads_do_not_wait_for_each_other()
    {
        using var memory = new UploadMemory(units: 4, unitSize: 1000);
        await Parallel.ForAsync(0, 200, async (i, cancellationToken) =>
        {
            using var buffer = await memory.RentAsync(1000 * ((i % 5) + 1), cancellationToken);
            await Task.Yield();
        });
    }

    [Fact]
    public void Blocks_grow_so_that_two_tebibytes_and_many_flushes_fit()
    {
        var sizes = new BlockSizes(4 * 1024 * 1024);

        Assert.Equal(4 << 20, sizes.At(0));
        Assert.Equal(8 << 20, sizes.At(20L << 30));
        Assert.Equal(64 << 20, sizes.At(80L << 30));
        Assert.InRange(sizes.MaxPieces(2L << 40, flushes: 1000), 12_000, 50_000);
        Assert.Equal(5120 + 3, sizes.MaxPieces(20L << 30, flushes: 3));
    }

    private static async Task PushAsync(AzureBlobStore store, ObjectId id, byte[] content)
    {
        await using var writer = (await store.OpenWriterAsync(id, 1, 0, default))!;
        foreach (var part in content.Chunk(3_000))
        {
            await writer.WriteAsync(part, default);
        }

        var digest = Digest.Compute(DigestAlgorithm.Sha256, content);
        await writer.FlushAsync(digest, default);
        Assert.True(await writer.SealAsync(digest, default));
    }

    /// <summary>Counts the requests that are under way.</summary>
    private sealed class HeldBlocks
    {
        private readonly Lock _lock = new();
        private readonly Dictionary<string, int> _byObject = [];
        private readonly SemaphoreSlim _entered = new(0);
        private int _now;

        public int Most { get; private set; }

        public int MostOfOne { get; private set; }

        public IDisposable Enter(string path)
        {
            lock (_lock)
            {
                _byObject[path] = _byObject.GetValueOrDefault(path) + 1;
                (Most, MostOfOne) = (Math.Max(Most, ++_now), Math.Max(MostOfOne, _byObject[path]));
            }

            _entered.Release();
            return new Exit(this, path);
        }

        public async Task UntilAsync(int count)
        {
            for (var i = 0; i < count; i++)
            {
                Assert.True(await _entered.WaitAsync(TimeSpan.FromMinutes(1)));
            }
        }

        private sealed class Exit(HeldBlocks blocks, string path) : IDisposable
        {
            public void Dispose()
            {
                lock (blocks._lock)
                {
                    blocks._now--;
                    blocks._byObject[path]--;
                }
            }
        }
    }
}
