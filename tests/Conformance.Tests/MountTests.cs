namespace Granary.Conformance.Tests;

public sealed class MountTests(RegistryFixture fixture) : RegistryTest(fixture)
{
    [Theory]
    [InlineData(100)]
    [InlineData(100_000)]
    public async Task A_blob_of_the_named_repository_is_mounted(int size)
    {
        var content = RegistryClient.RandomBytes(size);
        var digest = await Client.PushBlobAsync(Repository + "/source", content);

        using var answer = await MountAsync(digest, $"&from={Repository}/source&origin=ignored");

        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        Assert.Equal($"/v2/{Repository}/blobs/{digest}", answer.Headers.Location!.OriginalString);
        Assert.Equal(digest.Value, Header(answer, "Docker-Content-Digest"));
        Assert.Equal(content, await Client.GetBytesAsync($"/v2/{Repository}/blobs/{digest}"));
    }

    [Fact]
    public async Task Without_a_source_the_blob_is_mounted_from_any_repository()
    {
        var digest = await Client.PushBlobAsync(Repository + "/source", RegistryClient.RandomBytes(100));

        using var answer = await MountAsync(digest, "");

        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
    }

    [Fact]
    public async Task Only_the_named_repository_is_asked()
    {
        var digest = await Client.PushBlobAsync(Repository + "/source", RegistryClient.RandomBytes(100));

        using var other = await MountAsync(digest, $"&from={Repository}/other");
        using var invalid = await MountAsync(digest, "&from=NOT/A/NAME");
        using var pull = await Client.SendAsync("HEAD", $"/v2/{Repository}/blobs/{digest}");

        await AssertSessionAsync(other);
        await AssertSessionAsync(invalid);
        Assert.Equal(HttpStatusCode.NotFound, pull.StatusCode);
    }

    [Fact]
    public async Task A_mount_of_a_blob_that_no_repository_has_opens_a_session()
    {
        var content = RegistryClient.RandomBytes(100);
        var digest = RegistryClient.DigestOf(content);

        using var answer = await MountAsync(digest, $"&from={Repository}/source");
        await AssertSessionAsync(answer);
        using var put = await Client.SendAsync("PUT", $"{answer.Headers.Location!.OriginalString}?digest={digest}", content);

        Assert.Equal(HttpStatusCode.Created, put.StatusCode);
    }

    [Fact]
    public async Task A_blob_that_was_deleted_from_its_source_is_not_mounted()
    {
        var digest = await Client.PushBlobAsync(Repository + "/source", RegistryClient.RandomBytes(100));
        using var delete = await Client.SendAsync("DELETE", $"/v2/{Repository}/source/blobs/{digest}");

        using var named = await MountAsync(digest, $"&from={Repository}/source");
        using var anywhere = await MountAsync(digest, "");

        await AssertSessionAsync(named);
        await AssertSessionAsync(anywhere);
    }

    [Fact]
    public async Task A_mount_of_a_malformed_digest_is_refused()
    {
        using var answer = await Client.SendAsync("POST", $"/v2/{Repository}/blobs/uploads/?mount=sha256:abc&from=a");

        await AssertErrorAsync(answer, 400, "DIGEST_INVALID");
    }

    private Task<HttpResponseMessage> MountAsync(Digest digest, string rest) =>
        Client.SendAsync("POST", $"/v2/{Repository}/blobs/uploads/?mount={digest}{rest}");

    private static Task AssertSessionAsync(HttpResponseMessage answer)
    {
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        Assert.NotEmpty(Header(answer, "Location"));
        return Task.CompletedTask;
    }
}
