using System.Collections.Concurrent;
using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces.Schedules;
using Microsoft.Extensions.DependencyInjection;

namespace Granary.Maintenance.Tests;

/// <summary>
/// Collections without a grace period run all the time while clients push. A client may have to push a layer again, and nothing
/// acknowledged is lost.
/// </summary>
public sealed class NoGraceTests : IAsyncLifetime
{
    private const int Pushers = 6;
    private const int Images = 100;

    private TestRegistry _registry = null!;

    private RegistryClient Client => _registry.Client;

    public async Task InitializeAsync() => _registry = await TestRegistry.StartAsync();

    public async Task DisposeAsync() => await _registry.DisposeAsync();

    [Fact]
    public async Task A_grace_period_of_zero_removes_no_blob_of_an_acknowledged_manifest()
    {
        var layers = Enumerable.Range(0, 5).Select(_ => RegistryClient.RandomBytes(50_000)).ToArray();
        var acknowledged = new ConcurrentBag<(string Repository, Digest Manifest, byte[] Layer)>();
        using var stop = new CancellationTokenSource();
        var collecting = CollectAsync(stop.Token);
        await Task.WhenAll(Enumerable.Range(0, Pushers).Select(async number =>
        {
            var random = new Random(number);
            for (var i = 0; i < Images; i++)
            {
                var (repository, layer) = ($"app{random.Next(3)}", layers[random.Next(layers.Length)]);
                var manifest = await PushAsync(repository, $"t{number}-{i}", layer);
                if (random.Next(2) == 0)
                {
                    await Client.DeleteAsync($"/v2/{repository}/manifests/{manifest}");
                }
                else
                {
                    acknowledged.Add((repository, manifest, layer));
                }
            }
        }));
        await stop.CancelAsync();
        var collections = await collecting;

        Assert.True(collections > 3, $"{collections} collections are too few to show anything.");
        foreach (var (repository, manifest, layer) in acknowledged)
        {
            Assert.Equal(HttpStatusCode.OK, await Client.HeadAsync($"/v2/{repository}/manifests/{manifest}"));
            Assert.Equal(layer, await Client.GetBytesAsync($"/v2/{repository}/blobs/{RegistryClient.DigestOf(layer)}"));
        }

        Assert.Empty((await Client.RunAsync("""{"kind":"scrub","bytesPerSecond":1000000000}""")).Findings());
    }

    private async Task<Digest> PushAsync(string repository, string tag, byte[] layer)
    {
        var config = RegistryClient.RandomBytes(50);
        var manifest = Manifests.Image(config, [layer]);
        for (var attempt = 0; attempt < 200; attempt++)
        {
            foreach (var blob in (byte[][])[config, layer])
            {
                if (await Client.HeadAsync($"/v2/{repository}/blobs/{RegistryClient.DigestOf(blob)}") != HttpStatusCode.OK)
                {
                    await Client.PushBlobAsync(repository, blob);
                }
            }

            using var answer = await Client.PushManifestAsync(repository, tag, manifest);
            if (answer.StatusCode == HttpStatusCode.Created)
            {
                return RegistryClient.DigestOf(manifest);
            }

            Assert.All(await RegistryClient.ErrorCodesAsync(answer), code => Assert.Equal("MANIFEST_BLOB_UNKNOWN", code));
        }

        throw new TimeoutException("No push ended between two collections.");
    }

    private async Task<int> CollectAsync(CancellationToken stop)
    {
        // The same as an operation, without its rests.
        var collector = _registry.Services.GetRequiredService<GarbageCollector>();
        var counts = new CollectionCounts();
        var count = 0;
        for (; !stop.IsCancellationRequested; count++)
        {
            await collector.CollectAllRepositoriesAsync([.. ScheduleKeys.Repositories], TimeSpan.Zero, counts, default);
            await collector.CollectShardsAsync(Enumerable.Range(0, GarbageCollector.ShardCount), TimeSpan.Zero, counts, default);
        }

        Assert.True(counts.BlobsCollected > 20, $"{counts.BlobsCollected} blobs are too few to show anything.");
        return count;
    }
}
