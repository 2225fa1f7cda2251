namespace Granary.Conformance.Tests;

public sealed class PullBlobTests(RegistryFixture fixture) : RegistryTest(fixture)
{
    // Below and above the size up to which content is a row.
    public static TheoryData<int> Sizes => [0, 1, 1000, 32 * 1024, (32 * 1024) + 1, 300_000];

    [Theory]
    [MemberData(nameof(Sizes))]
    public async Task A_blob_comes_back_as_it_was_pushed(int size)
    {
        var content = RegistryClient.RandomBytes(size);
        var digest = await Client.PushBlobAsync(Repository, content);

        using var answer = await Client.SendAsync("GET", Path(digest));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(content, await answer.Content.ReadAsByteArrayAsync());
        AssertDescribed(answer, digest, size);
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public async Task HEAD_describes_the_blob(int size)
    {
        var digest = await Client.PushBlobAsync(Repository, RegistryClient.RandomBytes(size));

        using var answer = await Client.SendAsync("HEAD", Path(digest));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Empty(await answer.Content.ReadAsByteArrayAsync());
        AssertDescribed(answer, digest, size);
    }

    [Fact]
    public async Task An_escaped_colon_in_the_digest_is_a_colon()
    {
        var digest = await Client.PushBlobAsync(Repository, [1, 2, 3]);

        using var answer = await Client.SendAsync("GET", Path(digest).Replace("sha256:", "sha256%3A", StringComparison.Ordinal));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("HEAD")]
    public async Task A_blob_of_another_repository_is_unknown_here(string method)
    {
        var digest = await Client.PushBlobAsync(Repository + "-other", [4, 5, 6]);

        using var answer = await Client.SendAsync(method, Path(digest));

        Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        if (method == "GET")
        {
            await AssertErrorAsync(answer, 404, "BLOB_UNKNOWN");
        }
    }

    [Theory]
    [InlineData("sha256:abc")]
    [InlineData("md5:d41d8cd98f00b204e9800998ecf8427e")]
    [InlineData("sha256:E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855")]
    [InlineData("latest")]
    public async Task A_malformed_digest_is_refused(string text)
    {
        using var answer = await Client.SendAsync("GET", $"/v2/{Repository}/blobs/{text}");

        await AssertErrorAsync(answer, 400, "DIGEST_INVALID");
    }

    [Theory]
    [InlineData(1000, "bytes=0-9", 0, 10)]
    [InlineData(1000, "bytes=990-", 990, 10)]
    [InlineData(1000, "bytes=-5", 995, 5)]
    [InlineData(1000, "bytes=0-99999", 0, 1000)]
    [InlineData(100_000, "bytes=50000-50009", 50_000, 10)]
    [InlineData(100_000, "bytes=0-0", 0, 1)]
    public async Task A_range_gives_its_bytes(int size, string range, int offset, int length)
    {
        var content = RegistryClient.RandomBytes(size);
        var digest = await Client.PushBlobAsync(Repository, content);

        using var answer = await Client.SendAsync("GET", Path(digest), headers: [("Range", range)]);

        Assert.Equal(HttpStatusCode.PartialContent, answer.StatusCode);
        Assert.Equal($"bytes {offset}-{offset + length - 1}/{size}", Header(answer, "Content-Range"));
        Assert.Equal(length, answer.Content.Headers.ContentLength);
        Assert.Equal(content[offset..(offset + length)], await answer.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task Several_ranges_come_in_parts()
    {
        var content = RegistryClient.RandomBytes(100_000);
        var digest = await Client.PushBlobAsync(Repository, content);

        using var answer = await Client.SendAsync("GET", Path(digest), headers: [("Range", "bytes=0-9, 500-599,-3")]);

        Assert.Equal(HttpStatusCode.PartialContent, answer.StatusCode);
        Assert.Equal("multipart/byteranges", answer.Content.Headers.ContentType!.MediaType);
        var body = await answer.Content.ReadAsByteArrayAsync();
        Assert.Equal(answer.Content.Headers.ContentLength, body.Length);
        var parts = Parts(body, answer.Content.Headers.ContentType.Parameters.Single().Value!);
        Assert.Equal(["bytes 0-9/100000", "bytes 500-599/100000", "bytes 99997-99999/100000"], parts.Select(part => part.Range));
        Assert.Equal([content[..10], content[500..600], content[^3..]], parts.Select(part => part.Content));
    }

    [Theory]
    [InlineData("bytes=1000-")]
    [InlineData("bytes=1000-1001")]
    [InlineData("bytes=5-2")]
    [InlineData("bytes=-0")]
    public async Task A_range_that_selects_nothing_is_416(string range)
    {
        var digest = await Client.PushBlobAsync(Repository, RegistryClient.RandomBytes(1000));

        using var answer = await Client.SendAsync("GET", Path(digest), headers: [("Range", range)]);

        await AssertErrorAsync(answer, 416, "SIZE_INVALID");
        Assert.Equal("bytes */1000", Header(answer, "Content-Range"));
    }

    [Theory]
    [InlineData("lines=0-9")]
    [InlineData("bytes=x-y")]
    [InlineData("bytes")]
    public async Task A_malformed_range_is_ignored(string range)
    {
        var content = RegistryClient.RandomBytes(1000);
        var digest = await Client.PushBlobAsync(Repository, content);

        using var answer = await Client.SendAsync("GET", Path(digest), headers: [("Range", range)]);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(content, await answer.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task A_client_that_has_the_blob_gets_304()
    {
        var digest = await Client.PushBlobAsync(Repository, [7]);

        using var same = await Client.SendAsync("GET", Path(digest), headers: [("If-None-Match", $"\"{digest}\"")]);
        using var other = await Client.SendAsync("GET", Path(digest), headers: [("If-None-Match", $"\"{RegistryClient.DigestOf([8])}\"")]);

        Assert.Equal(HttpStatusCode.NotModified, same.StatusCode);
        Assert.Equal(HttpStatusCode.OK, other.StatusCode);
    }

    [Fact]
    public async Task A_range_of_other_content_gets_the_whole()
    {
        var digest = await Client.PushBlobAsync(Repository, RegistryClient.RandomBytes(100));

        using var same = await Client.SendAsync("GET", Path(digest), headers: [("Range", "bytes=0-1"), ("If-Range", $"\"{digest}\"")]);
        using var other = await Client.SendAsync(
            "GET",
            Path(digest),
            headers: [("Range", "bytes=0-1"), ("If-Range", "\"something else\"")]);

        Assert.Equal(HttpStatusCode.PartialContent, same.StatusCode);
        Assert.Equal(HttpStatusCode.OK, other.StatusCode);
    }

    private string Path(Digest digest) => $"/v2/{Repository}/blobs/{digest}";

    private static void AssertDescribed(HttpResponseMessage answer, Digest digest, long size)
    {
        Assert.Equal(size, answer.Content.Headers.ContentLength);
        Assert.Equal(digest.Value, Header(answer, "Docker-Content-Digest"));
        Assert.Equal($"\"{digest}\"", Header(answer, "ETag"));
        Assert.Equal("bytes", Header(answer, "Accept-Ranges"));
        Assert.Equal("application/octet-stream", Header(answer, "Content-Type"));
        Assert.Contains("immutable", Header(answer, "Cache-Control"), StringComparison.Ordinal);
        Assert.Equal("registry/2.0", Header(answer, "Docker-Distribution-Api-Version"));
    }

    internal static List<(string Range, byte[] Content)> Parts(byte[] body, string boundary)
    {
        var text = System.Text.Encoding.Latin1.GetString(body);
        Assert.EndsWith($"\r\n--{boundary}--\r\n", text, StringComparison.Ordinal);
        return [.. text[..^$"\r\n--{boundary}--\r\n".Length]
            .Split($"--{boundary}\r\n", StringSplitOptions.RemoveEmptyEntries)
            .Select(part =>
            {
                var end = part.IndexOf("\r\n\r\n", StringComparison.Ordinal);
                var header = part[..end].Split("\r\n").Single(line => line.StartsWith("Content-Range: ", StringComparison.Ordinal));
                var range = header["Content-Range: ".Length..];
                var numbers = range["bytes ".Length..range.IndexOf('/', StringComparison.Ordinal)].Split('-').Select(int.Parse).ToArray();
                return (range, System.Text.Encoding.Latin1.GetBytes(part.Substring(end + 4, numbers[1] - numbers[0] + 1)));
            })];
    }
}
