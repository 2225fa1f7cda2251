using Azure.Core;
using Azure.Core.Pipeline;
using Granary.Gateway;
using Granary.Storage.Azure;
using Granary.Storage.Azure.Blobs;
using Microsoft.Extensions.DependencyInjection;

namespace Granary.Conformance.Tests;

/// <summary>Two gateways over one object store, whose unsealed objects cannot be read: an upload goes on at any of them.</summary>
public sealed class ObjectStoreTests : IAsyncLifetime
{
    private readonly RequestLog _requests = new();
    private AzuriteServer? _azurite;
    private TestRegistry? _registry;
    private GatewayHost? _one;
    private GatewayHost? _two;

    private RegistryClient One => _one!.Client;

    private RegistryClient Two => _two!.Client;

    public async Task InitializeAsync()
    {
        _azurite = await AzuriteServer.StartAsync();
        _registry = await TestRegistry.StartAsync();
        _one = await GatewayHost.StartAsync(_registry, await StoreAsync());
        _two = await GatewayHost.StartAsync(_registry, await StoreAsync());
        _requests.Clear();
    }

    public async Task DisposeAsync()
    {
        await _one!.DisposeAsync();
        await _two!.DisposeAsync();
        await _registry!.DisposeAsync();
        await _azurite!.DisposeAsync();
    }

    [Theory]
    [InlineData(DigestAlgorithm.Sha256, "")]
    [InlineData(DigestAlgorithm.Sha512, "?digest-algorithm=sha512")]
    public async Task An_upload_that_goes_on_at_another_gateway_is_not_read_back(DigestAlgorithm algorithm, string query)
    {
        var content = RegistryClient.RandomBytes(500_001);
        var location = await One.StartUploadAsync("app", query);
        await PatchAsync(One, location, content[..100_000]);
        await PatchAsync(Two, location, content[100_000..300_003]);
        await PatchAsync(One, location, content[300_003..]);

        await FinishAsync(Two, location, RegistryClient.DigestOf(content, algorithm), []);

        Assert.Equal(["PUT block", "PUT block", "PUT block", "GET blocklist", "PUT blocklist"], _requests.All);
        Assert.Equal(content, await One.GetBytesAsync($"/v2/app/blobs/{RegistryClient.DigestOf(content, algorithm)}"));
    }

    [Fact]
    public async Task The_last_bytes_come_through_another_gateway()
    {
        var content = RegistryClient.RandomBytes(400_000);
        var location = await One.StartUploadAsync("app");
        await PatchAsync(One, location, content[..250_000]);

        await FinishAsync(Two, location, RegistryClient.DigestOf(content), content[250_000..]);

        Assert.DoesNotContain("GET", _requests.All);
        Assert.Equal(content, await Two.GetBytesAsync($"/v2/app/blobs/{RegistryClient.DigestOf(content)}"));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(100_000)]
    public async Task A_digest_of_another_algorithm_than_announced_is_computed_from_the_bytes(int last)
    {
        var content = RegistryClient.RandomBytes(300_000);
        var digest = RegistryClient.DigestOf(content, DigestAlgorithm.Sha512);
        var location = await One.StartUploadAsync("app");
        await PatchAsync(One, location, content[..^last]);

        await FinishAsync(Two, location, digest, content[^last..]);

        Assert.Contains("GET", _requests.All);
        Assert.Equal(content, await One.GetBytesAsync($"/v2/app/blobs/{digest}"));
    }

    [Fact]
    public async Task A_wrong_digest_leaves_the_upload_as_it_was()
    {
        var content = RegistryClient.RandomBytes(200_000);
        var location = await One.StartUploadAsync("app");
        await PatchAsync(One, location, content[..100_000]);

        using (var refused = await Two.SendAsync("PUT", $"{location}?digest={RegistryClient.DigestOf([1])}", content[100_000..]))
        {
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        }

        await FinishAsync(One, location, RegistryClient.DigestOf(content), content[100_000..]);
        Assert.Equal(content, await Two.GetBytesAsync($"/v2/app/blobs/{RegistryClient.DigestOf(content)}"));
    }

    [Fact]
    public async Task A_layer_in_one_request_is_one_request_to_the_storage_and_can_be_repeated()
    {
        var content = RegistryClient.RandomBytes(1_000_000);
        var digest = RegistryClient.DigestOf(content);
        var location = await One.StartUploadAsync("app");

        await FinishAsync(One, location, digest, content);
        Assert.Equal(["PUT"], _requests.All);
        await FinishAsync(Two, location, digest, []);

        Assert.Equal(content, await Two.GetBytesAsync($"/v2/app/blobs/{digest}"));
    }

    [Fact]
    public async Task Ranges_of_a_layer_are_read_as_they_are_asked()
    {
        var content = RegistryClient.RandomBytes(300_000);
        var digest = await One.PushBlobAsync("app", content);
        _requests.Clear();

        using var one = await Two.SendAsync("GET", $"/v2/app/blobs/{digest}", (HttpContent?)null, ("Range", "bytes=1000-1999"));
        using var many = await Two.SendAsync("GET", $"/v2/app/blobs/{digest}", (HttpContent?)null, ("Range", "bytes=5-9,200000-299999"));

        Assert.Equal(content[1000..2000], await one.Content.ReadAsByteArrayAsync());
        Assert.Equal(HttpStatusCode.PartialContent, many.StatusCode);
        Assert.True((await many.Content.ReadAsByteArrayAsync()).AsSpan().IndexOf(content.AsSpan(200_000)) > 0);
        Assert.Equal(["GET", "GET", "GET"], _requests.All);
    }

    [Fact]
    public async Task More_chunks_than_an_object_can_have_are_refused_and_the_upload_can_still_be_finished()
    {
        await using var gateway = await GatewayHost.StartAsync(_registry!, await StoreAsync(new AzureBlobOptions { MaxPieces = 2 }));
        var content = RegistryClient.RandomBytes(90_000);
        var location = await One.StartUploadAsync("app");
        await PatchAsync(gateway.Client, location, content[..30_000]);
        await PatchAsync(gateway.Client, location, content[30_000..60_000]);

        using (var refused = await gateway.Client.SendAsync("PATCH", location, content[60_000..]))
        {
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
            Assert.All(await RegistryClient.ErrorCodesAsync(refused), code => Assert.Equal("BLOB_UPLOAD_INVALID", code));
        }

        await FinishAsync(gateway.Client, location, RegistryClient.DigestOf(content[..60_000]), []);
    }

    [Fact]
    public async Task A_cancelled_upload_leaves_nothing_in_the_storage()
    {
        var location = await One.StartUploadAsync("app");
        await PatchAsync(One, location, RegistryClient.RandomBytes(100_000));

        using var cancelled = await Two.SendAsync("DELETE", location);

        Assert.Equal(HttpStatusCode.NoContent, cancelled.StatusCode);
        await foreach (var stored in (await StoreAsync()).ListAsync(default))
        {
            Assert.Fail($"{stored.Id} is left.");
        }
    }

    [Fact]
    public async Task A_client_is_redirected_for_a_large_layer_and_one_range_of_it()
    {
        await using var gateway = await StartRedirectingAsync();
        var content = RegistryClient.RandomBytes(2_000_000);
        var path = $"/v2/app/blobs/{await One.PushBlobAsync("app", content)}";
        _requests.Clear();

        using var whole = await gateway.Client.SendAsync("GET", path);
        using var again = await gateway.Client.SendAsync("GET", path, (HttpContent?)null, ("Range", "bytes=5-9"));

        Assert.Equal(HttpStatusCode.TemporaryRedirect, whole.StatusCode);
        Assert.Equal(HttpStatusCode.TemporaryRedirect, again.StatusCode);
        Assert.Equal(whole.Headers.Location, again.Headers.Location);
        Assert.Null(whole.Headers.CacheControl);
        Assert.Empty(_requests.All);
        using var client = new HttpClient();
        Assert.Equal(content, await client.GetByteArrayAsync(whole.Headers.Location));
        client.DefaultRequestHeaders.Range = new(5, 9);
        Assert.Equal(content[5..10], await client.GetByteArrayAsync(whole.Headers.Location));
        using var deleted = await client.DeleteAsync(whole.Headers.Location);
        Assert.Equal(HttpStatusCode.Forbidden, deleted.StatusCode);
    }

    [Fact]
    public async Task HEAD_small_blobs_several_ranges_and_conditions_are_not_redirected()
    {
        await using var gateway = await StartRedirectingAsync();
        var large = await One.PushBlobAsync("app", RegistryClient.RandomBytes(2_000_000));
        var small = await One.PushBlobAsync("app", RegistryClient.RandomBytes(1_000_000));

        using var head = await gateway.Client.SendAsync("HEAD", $"/v2/app/blobs/{large}");
        using var below = await gateway.Client.SendAsync("GET", $"/v2/app/blobs/{small}");
        using var ranges = await gateway.Client.SendAsync("GET", $"/v2/app/blobs/{large}", (HttpContent?)null, ("Range", "bytes=0-1,9-10"));
        using var beyond = await gateway.Client.SendAsync("GET", $"/v2/app/blobs/{large}", (HttpContent?)null, ("Range", "bytes=9999999-"));
        using var known = await gateway.Client.SendAsync(
            "GET",
            $"/v2/app/blobs/{large}",
            (HttpContent?)null,
            ("If-None-Match", $"\"{large}\""));

        Assert.Equal(HttpStatusCode.OK, head.StatusCode);
        Assert.Equal(HttpStatusCode.OK, below.StatusCode);
        Assert.Equal(HttpStatusCode.PartialContent, ranges.StatusCode);
        Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, beyond.StatusCode);
        Assert.Equal(HttpStatusCode.NotModified, known.StatusCode);
    }

    private async Task<GatewayHost> StartRedirectingAsync() => await GatewayHost.StartAsync(
        _registry!,
        await StoreAsync(),
        services => services.Configure<DownloadOptions>(options => options.Mode = DownloadMode.Redirect));

    private static async Task PatchAsync(RegistryClient client, string location, byte[] bytes)
    {
        using var answer = await client.SendAsync("PATCH", location, bytes);
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
    }

    private static async Task FinishAsync(RegistryClient client, string location, Digest digest, byte[] bytes)
    {
        using var answer = await client.SendAsync("PUT", $"{location}?digest={digest}", bytes);
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
    }

    private async Task<AzureBlobStore> StoreAsync(AzureBlobOptions? settings = null)
    {
        var options = AzureBlobClients.CreateOptions();
        options.AddPolicy(_requests, HttpPipelinePosition.PerRetry);
        var client = StorageAccount.FromConnectionString(_azurite!.ConnectionString).CreateBlobClient(options);
        var store = new AzureBlobStore(client.GetBlobContainerClient("granary"), settings ?? new AzureBlobOptions(), TimeProvider.System);
        await store.StartAsync(default);
        return store;
    }

    /// <summary>Records the requests to the storage.</summary>
    private sealed class RequestLog : HttpPipelineSynchronousPolicy
    {
        private readonly List<string> _all = [];

        public string[] All
        {
            get
            {
                lock (_all)
                {
                    return [.. _all];
                }
            }
        }

        public void Clear()
        {
            lock (_all)
            {
                _all.Clear();
            }
        }

        public override void OnSendingRequest(HttpMessage message)
        {
            var query = message.Request.Uri.Query;
            var at = query.IndexOf("comp=", StringComparison.Ordinal);
            lock (_all)
            {
                _all.Add(message.Request.Method + (at < 0 ? "" : " " + query[(at + 5)..].Split('&')[0]));
            }
        }
    }
}
