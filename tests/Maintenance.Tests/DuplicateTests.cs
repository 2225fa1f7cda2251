using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Interfaces.Uploads;
using Granary.Storage.Blobs;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Granary.Maintenance.Tests;

/// <summary>Content that clients push although the registry has it: one file stays, and a sweep deletes the others.</summary>
public sealed class DuplicateTests : IAsyncLifetime
{
    private const string CollectNow = """{"kind":"collection","grace":"0s"}""";

    private readonly byte[] _layer = RegistryClient.RandomBytes(120_000);
    private readonly ShiftedTime _time = new();
    private TestRegistry _registry = null!;

    private RegistryClient Client => _registry.Client;

    private Digest Layer => RegistryClient.DigestOf(_layer);

    public async Task InitializeAsync() => _registry = await TestRegistry.StartAsync(time: _time);

    public async Task DisposeAsync() => await _registry.DisposeAsync();

    [Fact]
    public async Task A_collection_leaves_one_file_of_ten_pushes_of_one_blob()
    {
        await PinAsync("app");
        for (var i = 0; i < 9; i++)
        {
            await PushAsync("app", i);
        }

        Assert.Equal(10, Files().Length);
        var collection = await Client.RunAsync(CollectNow);

        Assert.Equal(9, collection.Count("objects"));
        Assert.Single(Files());
        Assert.Equal(_layer, await Client.GetBytesAsync($"/v2/app/blobs/{Layer}"));
        Assert.Equal(0, (await Client.RunAsync(CollectNow)).Count("objects"));
    }

    [Fact]
    public async Task Repositories_that_get_one_layer_without_a_mount_share_one_file_after_the_next_sweep()
    {
        for (var i = 0; i < 6; i++)
        {
            await PinAsync($"team{i}/app");
        }

        Assert.Equal(6, Files().Length);
        Assert.Equal(5, (await SweepAsync()).ObjectsDeleted);

        Assert.Single(Files());
        for (var i = 0; i < 6; i++)
        {
            Assert.Equal(_layer, await Client.GetBytesAsync($"/v2/team{i}/app/blobs/{Layer}"));
        }

        Assert.Empty((await Client.RunAsync("""{"kind":"scrub"}""")).Findings());
    }

    [Fact]
    public async Task A_small_blob_that_is_pushed_again_in_pieces_leaves_no_file()
    {
        var small = RegistryClient.RandomBytes(1000);
        await Client.PushBlobAsync("app", small);
        await PushInPiecesAsync("app", small);
        Assert.Single(Files());

        await SweepAsync();

        Assert.Empty(Files());
        Assert.Equal(small, await Client.GetBytesAsync($"/v2/app/blobs/{RegistryClient.DigestOf(small)}"));
    }

    [Fact]
    public async Task The_request_that_finished_an_upload_can_be_repeated_after_its_file_is_deleted()
    {
        await PinAsync("app");
        var location = await PushInPiecesAsync("app", _layer);
        await SweepAsync();
        Assert.Single(Files());

        Assert.Equal(HttpStatusCode.Created, await FinishAsync(location, Layer));
        Assert.Equal(HttpStatusCode.NotFound, await FinishAsync(location, RegistryClient.DigestOf([1])));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync("PATCH", location));
        Assert.Equal(HttpStatusCode.NotFound, await StatusAsync("DELETE", location));

        // The repetition does not claim that the repository has a blob that was deleted from it.
        using (await Client.SendAsync("DELETE", "/v2/app/manifests/v1"))
        using (await Client.SendAsync("DELETE", $"/v2/app/manifests/{_manifest}"))
        using (var deleted = await Client.SendAsync("DELETE", $"/v2/app/blobs/{Layer}"))
        {
            Assert.Equal(HttpStatusCode.Accepted, deleted.StatusCode);
        }

        Assert.Equal(HttpStatusCode.NotFound, await FinishAsync(location, Layer));
    }

    [Fact]
    public async Task A_duplicate_without_a_mark_is_deleted_when_its_session_expires()
    {
        await PinAsync("app");
        var location = await Client.StartUploadAsync("app");
        using (await Client.SendAsync("PATCH", location, _layer))
        {
        }

        // The gateway dies after the repository's answer, and before it marks the session.
        var grains = _registry.Services.GetRequiredService<IGrainFactory>();
        var id = location[(location.LastIndexOf('/') + 1)..];
        var session = grains.GetGrain<IUploadSessionGrain>(id);
        var upload = await session.Seal(1, Layer, _layer.Length, default);
        await _registry.Services.GetRequiredService<IBlobStore>().SealAsync(upload!.Content.Object, Layer, _layer.Length, default);
        var orders = new CommandOrders(TimeProvider.System);
        var link = orders.Next(
            new LinkBlob(Layer, upload.Content, upload.Deadline) { Origin = CommandOrigin.OfRegistry(ChangeCause.Push) });
        await grains.GetGrain<IRepositoryGrain>("app").LinkBlob(link, default);
        await SweepAsync();
        Assert.Equal(2, Files().Length);

        _time.Advance(TimeSpan.FromHours(26));
        await SweepAsync();
        Assert.Single(Files());
    }

    private Digest _manifest;

    /// <summary>Pushes the layer and a manifest that needs it.</summary>
    private async Task PinAsync(string repository)
    {
        var config = "{}"u8.ToArray();
        await Client.PushBlobAsync(repository, config);
        await Client.PushBlobAsync(repository, _layer);
        var manifest = Manifests.Image(config, [_layer]);
        using var answer = await Client.PushManifestAsync(repository, "v1", manifest);
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        _manifest = RegistryClient.DigestOf(manifest);
    }

    /// <summary>Pushes the layer, in one of three ways.</summary>
    private async Task PushAsync(string repository, int number)
    {
        switch (number % 3)
        {
            case 0:
                await Client.PushBlobAsync(repository, _layer);
                break;

            case 1:
                using (var answer = await Client.SendAsync("POST", $"/v2/{repository}/blobs/uploads/?digest={Layer}", _layer))
                {
                    Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
                }

                break;

            default:
                await PushInPiecesAsync(repository, _layer);
                break;
        }
    }

    private async Task<string> PushInPiecesAsync(string repository, byte[] content)
    {
        var location = await Client.StartUploadAsync(repository);
        using (var appended = await Client.SendAsync("PATCH", location, content))
        {
            Assert.Equal(HttpStatusCode.Accepted, appended.StatusCode);
        }

        Assert.Equal(HttpStatusCode.Created, await FinishAsync(location, RegistryClient.DigestOf(content)));
        return location;
    }

    private Task<HttpStatusCode> FinishAsync(string location, Digest digest) => StatusAsync("PUT", $"{location}?digest={digest}");

    private async Task<HttpStatusCode> StatusAsync(string method, string path)
    {
        using var answer = await Client.SendAsync(method, path);
        return answer.StatusCode;
    }

    private Task<CollectionCounts> SweepAsync() =>
        _registry.Services.GetServices<IHostedService>().OfType<Sweeper>().Single().SweepAsync(default);

    private string[] Files() =>
    [
        .. Admin.Objects(_registry.Data),
        .. Directory.GetFiles(Path.Combine(_registry.Data, "uploads"), "*", SearchOption.AllDirectories)
            .Where(file => Path.GetFileName(file) != "probe"),
    ];
}
