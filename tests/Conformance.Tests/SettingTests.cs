namespace Granary.Conformance.Tests;

/// <summary>The effects of settings.</summary>
public sealed class SettingTests
{
    [Fact]
    public async Task With_sparse_manifests_content_may_be_absent()
    {
        await using var registry = await TestRegistry.StartAsync(new Dictionary<string, string> { ["manifests.sparse"] = "true" });
        var image = Manifests.Image([1], [[2]]);
        var index = Manifests.Index([Manifests.Descriptor([3], MediaTypes.OciManifest)]);

        using var pushImage = await registry.Client.PushManifestAsync("app", "image", image);
        using var pushIndex = await registry.Client.PushManifestAsync("app", "index", index, MediaTypes.OciIndex);

        Assert.Equal(HttpStatusCode.Created, pushImage.StatusCode);
        Assert.Equal(HttpStatusCode.Created, pushIndex.StatusCode);
    }

    [Fact]
    public async Task With_deleteInUse_a_blob_is_deleted_although_manifests_use_it()
    {
        await using var registry = await TestRegistry.StartAsync(new Dictionary<string, string> { ["blobs.deleteInUse"] = "true" });
        var (config, layer) = (RegistryClient.RandomBytes(10), RegistryClient.RandomBytes(10));
        await registry.Client.PushBlobAsync("app", config);
        var digest = await registry.Client.PushBlobAsync("app", layer);
        using var push = await registry.Client.PushManifestAsync("app", "v1", Manifests.Image(config, [layer]));

        using var delete = await registry.Client.SendAsync("DELETE", $"/v2/app/blobs/{digest}");
        using var get = await registry.Client.SendAsync("GET", $"/v2/app/blobs/{digest}");

        Assert.Equal(HttpStatusCode.Accepted, delete.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, get.StatusCode);
    }

    [Fact]
    public async Task Absolute_locations_name_the_public_address()
    {
        const string Public = "https://registry.example.com";
        await using var registry = await TestRegistry.StartAsync(new Dictionary<string, string>
        {
            ["server.publicUrl"] = Public + "/",
            ["server.absoluteLocations"] = "true",
        });
        var client = registry.Client;
        var config = RegistryClient.RandomBytes(10);
        var manifest = Manifests.Image(config, []);

        using var start = await client.SendAsync("POST", "/v2/app/blobs/uploads/");
        using var append = await client.SendAsync("PATCH", Relative(start.Headers.Location!), new ByteArrayContent(config));
        using var push = await client.SendAsync(
            "POST",
            $"/v2/app/blobs/uploads/?digest={RegistryClient.DigestOf(config)}",
            new ByteArrayContent(config));
        using var image = await client.PushManifestAsync("app", "v1", manifest);
        using var second = await client.PushManifestAsync("app", "v2", manifest);
        using var tags = await client.SendAsync("GET", "/v2/app/tags/list?n=1");

        Assert.StartsWith(Public + "/v2/app/blobs/uploads/", start.Headers.Location!.OriginalString, StringComparison.Ordinal);
        Assert.Equal(start.Headers.Location.OriginalString, start.Headers.GetValues("Docker-Upload-Location").Single());
        Assert.Equal(start.Headers.Location, append.Headers.Location);
        Assert.Equal($"{Public}/v2/app/blobs/{RegistryClient.DigestOf(config)}", push.Headers.Location!.OriginalString);
        Assert.Equal($"{Public}/v2/app/manifests/v1", image.Headers.Location!.OriginalString);
        Assert.Equal($"<{Public}/v2/app/tags/list?n=1&last=v1>; rel=\"next\"", tags.Headers.GetValues("Link").Single());

        static string Relative(Uri location) => location.PathAndQuery;
    }

    [Fact]
    public async Task Without_absolute_locations_a_public_address_changes_no_url()
    {
        await using var registry = await TestRegistry.StartAsync(
            new Dictionary<string, string> { ["server.publicUrl"] = "https://registry.example.com" });

        using var start = await registry.Client.SendAsync("POST", "/v2/app/blobs/uploads/");

        Assert.StartsWith("/v2/app/blobs/uploads/", start.Headers.Location!.OriginalString, StringComparison.Ordinal);
        Assert.False(start.Headers.Contains("Docker-Upload-Location"));
    }

    [Fact]
    public async Task Requests_beyond_the_limit_get_429_and_a_time_to_retry()
    {
        await using var registry = await TestRegistry.StartAsync(new Dictionary<string, string> { ["limits.requests"] = "1" });
        var location = await registry.Client.StartUploadAsync("app");
        SlowContent slow;
        Task<HttpResponseMessage> first;
        do
        {
            // A request counts until shortly after its answer: the one before the first request may still count and have it refused.
            slow = new SlowContent();
            first = registry.Client.SendAsync("PATCH", location, slow, ("Expect", "100-continue"));
        }
        while (await Task.WhenAny(slow.Asked, first) == first && (await first).StatusCode == HttpStatusCode.TooManyRequests);

        using var second = await registry.Client.SendAsync("GET", "/v2/");
        using var deletion = await registry.Client.SendAsync("DELETE", "/v2/app/manifests/v1");
        slow.Finish();
        using var done = await first;

        Assert.Equal(HttpStatusCode.TooManyRequests, second.StatusCode);
        Assert.NotNull(second.Headers.RetryAfter);
        Assert.Equal(["TOOMANYREQUESTS"], await RegistryClient.ErrorCodesAsync(second));
        Assert.Equal(HttpStatusCode.NotFound, deletion.StatusCode);
        Assert.Equal(HttpStatusCode.Accepted, done.StatusCode);
    }
}
