using System.Security.Cryptography;
using CsCheck;
using Granary.Protocol;
using Granary.Storage.Azure.Blobs;
using Granary.Storage.Blobs;

namespace Granary.Storage.Tests.Azure;

/// <summary>Writers whose claim is over go on writing. The sealed bytes are always those that the session counted.</summary>
[Collection(AzuriteCollection.Name)]
public sealed class BlobZombieTests(AzuriteFixture azurite)
{
    private static readonly AzureBlobOptions Options = new() { BlockSize = 1000 };

    [Fact]
    public async Task What_old_writers_stage_never_counts()
    {
        for (var seed = 1; seed <= 20; seed++)
        {
            var container = await BlobContainer.CreateAsync(azurite, Options);
            await RunAsync(container.Store, new Random(seed), seed);
            await container.Client.DeleteAsync();
        }
    }

    [Fact]
    public void The_chain_is_what_the_session_counted() =>
        Gen.Select(Gen.Int[0, 1], Gen.Int[1, 3], Gen.Int[0, 2], Gen.Int[0, 3]).Array[1, 12].Sample(
            claims =>
            {
                var blocks = new List<Block>();
                var (expected, size) = (new List<Block>(), 0L);
                var writers = new List<(long Epoch, long At)>();
                for (var epoch = 1; epoch <= claims.Length; epoch++)
                {
                    var (counts, pieces, length, late) = claims[epoch - 1];
                    var mine = Stage(blocks, epoch, size, pieces, length + 1);
                    for (var i = 0; i < late && writers.Count > 0; i++)
                    {
                        // An older writer goes on behind what it wrote.
                        var old = i % writers.Count;
                        var (zombie, at) = writers[old];
                        writers[old] = (zombie, Stage(blocks, zombie, at, 1, 2)[^1].End);
                    }

                    writers.Add((epoch, mine[^1].End));
                    if (counts == 1)
                    {
                        expected.AddRange(mine);
                        size = mine[^1].End;
                    }
                }

                return new BlockList(blocks).FindChain(size)!.SequenceEqual(expected);
            },
            iter: 20_000);

    private static List<Block> Stage(List<Block> blocks, long epoch, long at, int pieces, int length)
    {
        var staged = Enumerable.Range(0, pieces).Select(i => new Block(epoch, at + (i * length), default, length)).ToList();
        blocks.AddRange(staged);
        return staged;
    }

    private static async Task RunAsync(AzureBlobStore store, Random random, int seed)
    {
        var id = ObjectId.FromRandom(RandomNumberGenerator.GetBytes(16));
        var counted = new List<byte>();
        var zombies = new List<IBlobWriter>();
        var epoch = 0L;
        for (; epoch < 6; epoch++)
        {
            var writer = (await store.OpenWriterAsync(id, epoch + 1, counted.Count, default))!;
            var bytes = Bytes(random, random.Next(1, 3000));
            await AppendAsync(writer, bytes);
            if (random.Next(4) == 0)
            {
                // The newest claim reads back what it will count.
                await using var reader = await store.OpenUnsealedAsync(id, counted.Count + bytes.Length, default);
                Assert.Equal(counted.Count + bytes.Length, reader!.Length);
            }

            if (random.Next(2) == 0)
            {
                counted.AddRange(bytes);
            }

            foreach (var zombie in zombies)
            {
                await AppendAsync(zombie, Bytes(random, random.Next(1, 2000)));
            }

            zombies.Add(writer);
        }

        byte[] content = [.. counted];
        var digest = Digest.Compute(DigestAlgorithm.Sha512, content);
        Assert.True(await store.SealAsync(id, digest, content.Length, default), $"seed {seed}");
        foreach (var zombie in zombies)
        {
            await AppendAsync(zombie, Bytes(random, 500));
        }

        Assert.True(await store.SealAsync(id, digest, content.Length, default), $"seed {seed}");
        await using (var reader = (await store.OpenAsync(id, digest, null, default))!)
        {
            var read = new byte[reader.Length];
            for (var done = 0; done < read.Length;)
            {
                done += await reader.ReadAsync(done, read.AsMemory(done), default);
            }

            Assert.True(content.AsSpan().SequenceEqual(read), $"seed {seed}");
        }

        foreach (var zombie in zombies)
        {
            await zombie.DisposeAsync();
        }
    }

    private static async Task AppendAsync(IBlobWriter writer, byte[] bytes)
    {
        await writer.WriteAsync(bytes, default);
        await writer.FlushAsync(default);
    }

    private static byte[] Bytes(Random random, int count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }
}
