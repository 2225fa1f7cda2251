using System.Text.Json.Nodes;

namespace Granary.Conformance.Tests;

public sealed class DeleteBlobTests(RegistryFixture fixture) : RegistryTest(fixture)
{
    [Theory]
    [InlineData(10)]
    [InlineData(100_000)]
    public async Task A_deleted_blob_is_unknown_at_once_and_can_be_pushed_again(int size)
    {
        var content = RegistryClient.RandomBytes(size);
        var digest = await Client.PushBlobAsync(Repository, content);

        using var delete = await Client.SendAsync("DELETE", Path(digest));
        using var get = await Client.SendAsync("GET", Path(digest));
        using var head = await Client.SendAsync("HEAD", Path(digest));
        using var again = await Client.SendAsync("DELETE", Path(digest));
        await Client.PushBlobAsync(Repository, content);

        Assert.Equal(HttpStatusCode.Accepted, delete.StatusCode);
        await AssertErrorAsync(get, 404, "BLOB_UNKNOWN");
        Assert.Equal(HttpStatusCode.NotFound, head.StatusCode);
        await AssertErrorAsync(again, 404, "BLOB_UNKNOWN");
        Assert.Equal(content, await Client.GetBytesAsync(Path(digest)));
    }

    [Fact]
    public async Task A_blob_in_use_is_not_deleted_until_its_manifest_is()
    {
        var (config, layer) = (RegistryClient.RandomBytes(10), RegistryClient.RandomBytes(20));
        await Client.PushBlobAsync(Repository, config);
        var digest = await Client.PushBlobAsync(Repository, layer);
        var manifest = Manifests.Image(config, [layer]);
        using var push = await Client.PushManifestAsync(Repository, "v1", manifest);

        using var refused = await Client.SendAsync("DELETE", Path(digest));
        using var deleteManifest = await Client.SendAsync("DELETE", $"/v2/{Repository}/manifests/{RegistryClient.DigestOf(manifest)}");
        using var deleted = await Client.SendAsync("DELETE", Path(digest));

        await AssertErrorAsync(refused, 405, "UNSUPPORTED");
        Assert.Equal("GET, HEAD", Header(refused, "Allow"));
        Assert.Contains(
            RegistryClient.DigestOf(manifest).Value,
            JsonNode.Parse(await refused.Content.ReadAsStringAsync())!["errors"]![0]!["detail"]!["manifests"]!
                .AsArray()
                .Select(item => (string)item!));
        Assert.Equal(HttpStatusCode.Accepted, deleted.StatusCode);
    }

    [Fact]
    public async Task A_blob_that_is_deleted_stays_in_other_repositories()
    {
        var content = RegistryClient.RandomBytes(100_000);
        var digest = await Client.PushBlobAsync(Repository, content);
        await Client.PushBlobAsync(Repository + "/other", content);

        using var delete = await Client.SendAsync("DELETE", Path(digest));

        Assert.Equal(content, await Client.GetBytesAsync($"/v2/{Repository}/other/blobs/{digest}"));
    }

    [Fact]
    public async Task A_malformed_digest_is_refused()
    {
        using var answer = await Client.SendAsync("DELETE", $"/v2/{Repository}/blobs/sha256:abc");

        await AssertErrorAsync(answer, 400, "DIGEST_INVALID");
    }

    private string Path(Digest digest) => $"/v2/{Repository}/blobs/{digest}";
}
