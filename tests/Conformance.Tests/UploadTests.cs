using System.Text.Json.Nodes;

namespace Granary.Conformance.Tests;

public sealed class UploadTests(RegistryFixture fixture) : RegistryTest(fixture)
{
    public static TheoryData<int> Sizes => [0, 1, 32 * 1024, (32 * 1024) + 1, 500_000];

    [Fact]
    public async Task POST_opens_a_session()
    {
        using var answer = await Client.SendAsync("POST", $"/v2/{Repository}/blobs/uploads/");

        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        Assert.StartsWith($"/v2/{Repository}/blobs/uploads/", answer.Headers.Location!.OriginalString, StringComparison.Ordinal);
        Assert.Equal("0-0", Header(answer, "Range"));
        Assert.NotEmpty(Header(answer, "Docker-Upload-UUID"));
        Assert.Equal(0, answer.Content.Headers.ContentLength);
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public async Task A_blob_can_be_pushed_with_one_POST(int size)
    {
        var content = RegistryClient.RandomBytes(size);
        var digest = RegistryClient.DigestOf(content);

        using var answer = await Client.SendAsync("POST", $"/v2/{Repository}/blobs/uploads/?digest={digest}", content);

        AssertCreated(answer, digest);
        Assert.Equal(content, await Client.GetBytesAsync(Blob(digest)));
    }

    [Theory]
    [MemberData(nameof(Sizes))]
    public async Task A_blob_can_be_pushed_with_a_body_without_a_length(int size)
    {
        var content = RegistryClient.RandomBytes(size);
        var digest = RegistryClient.DigestOf(content);
        var location = await Client.StartUploadAsync(Repository);

        using var answer = await Client.SendAsync("PUT", $"{location}?digest={digest}", Chunked(content));

        AssertCreated(answer, digest);
        Assert.Equal(content, await Client.GetBytesAsync(Blob(digest)));
    }

    [Fact]
    public async Task Bytes_of_a_refused_chunk_are_no_part_of_the_blob()
    {
        var content = RegistryClient.RandomBytes(100_000);
        var location = await Client.StartUploadAsync(Repository);
        using var first = await Client.SendAsync("PATCH", location, content);
        using var refused = await Client.SendAsync("PUT", $"{location}?digest={RegistryClient.DigestOf([1])}", new byte[50_000]);

        using var finished = await Client.SendAsync("PUT", $"{location}?digest={RegistryClient.DigestOf(content)}");

        AssertCreated(finished, RegistryClient.DigestOf(content));
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Equal(content, await Client.GetBytesAsync(Blob(RegistryClient.DigestOf(content))));
    }

    [Theory]
    [InlineData(10)]
    [InlineData(100_000)]
    public async Task Content_with_another_digest_is_refused_and_nothing_is_visible(int size)
    {
        var content = RegistryClient.RandomBytes(size);
        var (actual, claimed) = (RegistryClient.DigestOf(content), RegistryClient.DigestOf([1]));
        var location = await Client.StartUploadAsync(Repository);

        using var post = await Client.SendAsync("POST", $"/v2/{Repository}/blobs/uploads/?digest={claimed}", content);
        using var put = await Client.SendAsync("PUT", $"{location}?digest={claimed}", content);

        await AssertErrorAsync(post, 400, "DIGEST_INVALID");
        await AssertErrorAsync(put, 400, "DIGEST_INVALID");
        foreach (var digest in new[] { actual, claimed })
        {
            using var pull = await Client.SendAsync("HEAD", Blob(digest));
            Assert.Equal(HttpStatusCode.NotFound, pull.StatusCode);
        }
    }

    [Theory]
    [InlineData(10, DigestAlgorithm.Sha256)]
    [InlineData(100_000, DigestAlgorithm.Sha256)]
    [InlineData(10, DigestAlgorithm.Sha512)]
    [InlineData(100_000, DigestAlgorithm.Sha512)]
    public async Task A_wrong_digest_of_a_whole_blob_is_refused_with_the_computed_digest(int size, DigestAlgorithm algorithm)
    {
        var content = RegistryClient.RandomBytes(size);
        var claimed = RegistryClient.DigestOf([1], algorithm);
        var location = await Client.StartUploadAsync(Repository);

        using var post = await Client.SendAsync("POST", $"/v2/{Repository}/blobs/uploads/?digest={claimed}", content);
        using var put = await Client.SendAsync("PUT", $"{location}?digest={claimed}", content);

        await AssertMismatchAsync(post, claimed, RegistryClient.DigestOf(content, algorithm));
        await AssertMismatchAsync(put, claimed, RegistryClient.DigestOf(content, algorithm));
    }

    [Theory]
    [InlineData(1, true, "", DigestAlgorithm.Sha256)]
    [InlineData(1, false, "", DigestAlgorithm.Sha256)]
    [InlineData(3, true, "", DigestAlgorithm.Sha256)]
    [InlineData(3, false, "", DigestAlgorithm.Sha256)]
    [InlineData(3, true, "?digest-algorithm=sha512", DigestAlgorithm.Sha512)]
    [InlineData(3, false, "?digest-algorithm=sha512", DigestAlgorithm.Sha512)]
    [InlineData(3, true, "", DigestAlgorithm.Sha512)]
    [InlineData(3, false, "", DigestAlgorithm.Sha512)]
    public async Task A_wrong_digest_after_PATCHes_is_refused_with_the_computed_digest(
        int patches,
        bool lastWithPut,
        string query,
        DigestAlgorithm algorithm)
    {
        // No multiple of the chunk is a size for which A_connection_that_breaks… or A_second_writer… waits on the disk.
        const int chunk = 31_000;
        var content = RegistryClient.RandomBytes(chunk * (patches + (lastWithPut ? 1 : 0)));
        var claimed = RegistryClient.DigestOf([1], algorithm);
        var location = await Client.StartUploadAsync(Repository, query);
        for (var i = 0; i < patches; i++)
        {
            using var patch = await PatchAsync(location, content, i * chunk, chunk);
            AssertProgress(patch, HttpStatusCode.Accepted, (i + 1) * chunk);
        }

        using var put = await Client.SendAsync("PUT", $"{location}?digest={claimed}", content[(patches * chunk)..]);

        await AssertMismatchAsync(put, claimed, RegistryClient.DigestOf(content, algorithm));
    }

    [Theory]
    [InlineData("")]
    [InlineData("?digest=")]
    [InlineData("?digest=sha256:abc")]
    [InlineData("?digest=md5:d41d8cd98f00b204e9800998ecf8427e")]
    public async Task A_session_cannot_be_finished_without_a_digest(string query)
    {
        var location = await Client.StartUploadAsync(Repository);

        using var answer = await Client.SendAsync("PUT", location + query, [1, 2, 3]);

        await AssertErrorAsync(answer, 400, "DIGEST_INVALID");
    }

    [Fact]
    public async Task Docker_streams_one_PATCH_and_finishes_without_a_body()
    {
        var content = RegistryClient.RandomBytes(300_000);
        var digest = RegistryClient.DigestOf(content);
        var location = await Client.StartUploadAsync(Repository);

        using var patch = await Client.SendAsync("PATCH", location, Chunked(content));
        using var put = await Client.SendAsync("PUT", $"{location}?digest={digest}", []);

        AssertProgress(patch, HttpStatusCode.Accepted, content.Length);
        AssertCreated(put, digest);
        Assert.Equal(content, await Client.GetBytesAsync(Blob(digest)));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Chunks_with_their_ranges_follow_each_other(bool lastWithPut)
    {
        var content = RegistryClient.RandomBytes(250_000);
        var digest = RegistryClient.DigestOf(content);
        var location = await Client.StartUploadAsync(Repository);

        for (var offset = 0; offset < (lastWithPut ? 200_000 : 250_000); offset += 50_000)
        {
            using var patch = await PatchAsync(location, content, offset, 50_000);
            AssertProgress(patch, HttpStatusCode.Accepted, offset + 50_000);
            location = patch.Headers.Location!.OriginalString;
        }

        using var put = lastWithPut
            ? await Client.SendAsync("PUT", $"{location}?digest={digest}", content[200_000..], ("Content-Range", "200000-249999"))
            : await Client.SendAsync("PUT", $"{location}?digest={digest}", []);

        AssertCreated(put, digest);
        Assert.Equal(content, await Client.GetBytesAsync(Blob(digest)));
    }

    [Fact]
    public async Task PATCHes_without_ranges_append()
    {
        var content = RegistryClient.RandomBytes(90_000);
        var digest = RegistryClient.DigestOf(content);
        var location = await Client.StartUploadAsync(Repository);
        foreach (var part in content.Chunk(30_000))
        {
            using var patch = await Client.SendAsync("PATCH", location, Chunked(part));
            Assert.Equal(HttpStatusCode.Accepted, patch.StatusCode);
        }

        using var put = await Client.SendAsync("PUT", $"{location}?digest={digest}", []);

        AssertCreated(put, digest);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(40)]
    [InlineData(60)]
    public async Task A_chunk_out_of_order_is_416_and_changes_nothing(int offset)
    {
        var content = RegistryClient.RandomBytes(100);
        var digest = RegistryClient.DigestOf(content);
        var location = await Client.StartUploadAsync(Repository);
        using var first = await PatchAsync(location, content, 0, 50);

        using var wrong = await PatchAsync(location, content, offset, 10);
        using var wrongPut = await Client.SendAsync(
            "PUT",
            $"{location}?digest={digest}",
            content[offset..(offset + 10)],
            ("Content-Range", $"{offset}-{offset + 9}"));
        using var rest = await PatchAsync(location, content, 50, 50);
        using var put = await Client.SendAsync("PUT", $"{location}?digest={digest}", []);

        foreach (var refused in new[] { wrong, wrongPut })
        {
            AssertProgress(refused, HttpStatusCode.RequestedRangeNotSatisfiable, 50);
            await AssertErrorAsync(refused, 416, "BLOB_UPLOAD_INVALID");
        }

        AssertProgress(rest, HttpStatusCode.Accepted, 100);
        AssertCreated(put, digest);
    }

    [Fact]
    public async Task The_first_chunk_has_to_start_at_zero()
    {
        var location = await Client.StartUploadAsync(Repository);

        using var patch = await Client.SendAsync("PATCH", location, new byte[10], ("Content-Range", "10-19"));
        using var put = await Client.SendAsync(
            "PUT",
            $"{location}?digest={RegistryClient.DigestOf(new byte[10])}",
            new byte[10],
            ("Content-Range", "10-19"));

        await AssertErrorAsync(patch, 416, "BLOB_UPLOAD_INVALID");
        await AssertErrorAsync(put, 416, "BLOB_UPLOAD_INVALID");
    }

    [Theory]
    [InlineData("0-", "BLOB_UPLOAD_INVALID")]
    [InlineData("9-0", "BLOB_UPLOAD_INVALID")]
    [InlineData("a-b", "BLOB_UPLOAD_INVALID")]
    [InlineData("0-99999999999999999999", "BLOB_UPLOAD_INVALID")]
    [InlineData("0-8", "SIZE_INVALID")]
    [InlineData("0-10", "SIZE_INVALID")]
    public async Task A_range_that_is_malformed_or_disagrees_with_the_body_is_400_and_changes_nothing(string range, string code)
    {
        var location = await Client.StartUploadAsync(Repository);

        using var withLength = await Client.SendAsync("PATCH", location, new byte[10], ("Content-Range", range));
        using var chunked = await Client.SendAsync("PATCH", location, Chunked(new byte[10]), ("Content-Range", range));
        using var status = await Client.SendAsync("GET", location);

        await AssertErrorAsync(withLength, 400, code);
        await AssertErrorAsync(chunked, 400, code);
        AssertProgress(status, HttpStatusCode.NoContent, 0);
    }

    [Fact]
    public async Task GET_answers_the_offset_of_the_session()
    {
        var location = await Client.StartUploadAsync(Repository);
        using var before = await Client.SendAsync("GET", location);
        using var patch = await Client.SendAsync("PATCH", location, new byte[123]);
        using var after = await Client.SendAsync("GET", location + "?digest=whatever");

        AssertProgress(before, HttpStatusCode.NoContent, 0);
        AssertProgress(after, HttpStatusCode.NoContent, 123);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1000)]
    public async Task A_cancelled_session_is_unknown(int received)
    {
        var location = await Client.StartUploadAsync(Repository);
        if (received > 0)
        {
            using var patch = await Client.SendAsync("PATCH", location, new byte[received]);
        }

        using var cancel = await Client.SendAsync("DELETE", location);

        Assert.Equal(HttpStatusCode.NoContent, cancel.StatusCode);
        await AssertUnknownAsync(location);
    }

    [Fact]
    public async Task A_finished_session_repeats_its_answer_and_is_otherwise_unknown()
    {
        var content = RegistryClient.RandomBytes(50_000);
        var digest = RegistryClient.DigestOf(content);
        var location = await Client.StartUploadAsync(Repository);
        using var patch = await Client.SendAsync("PATCH", location, content);
        using var first = await Client.SendAsync("PUT", $"{location}?digest={digest}", []);

        using var again = await Client.SendAsync("PUT", $"{location}?digest={digest}", []);
        using var other = await Client.SendAsync("PUT", $"{location}?digest={RegistryClient.DigestOf([])}", []);

        AssertCreated(first, digest);
        AssertCreated(again, digest);
        await AssertErrorAsync(other, 404, "BLOB_UPLOAD_UNKNOWN");
        await AssertUnknownAsync(location);
    }

    [Fact]
    public async Task A_small_blob_pushed_twice_to_one_session_is_created_twice()
    {
        byte[] content = [1, 2, 3];
        var digest = RegistryClient.DigestOf(content);
        var location = await Client.StartUploadAsync(Repository);

        using var first = await Client.SendAsync("PUT", $"{location}?digest={digest}", content);
        using var again = await Client.SendAsync("PUT", $"{location}?digest={digest}", content);

        AssertCreated(first, digest);
        AssertCreated(again, digest);
    }

    [Fact]
    public async Task A_wrong_digest_leaves_the_session_as_it_was()
    {
        var content = RegistryClient.RandomBytes(100_000);
        var digest = RegistryClient.DigestOf(content);
        var location = await Client.StartUploadAsync(Repository);
        using var patch = await Client.SendAsync("PATCH", location, content[..60_000]);

        using var wrong = await Client.SendAsync("PUT", $"{location}?digest={RegistryClient.DigestOf([])}", content[60_000..]);
        using var right = await Client.SendAsync("PUT", $"{location}?digest={digest}", content[60_000..]);

        await AssertErrorAsync(wrong, 400, "DIGEST_INVALID");
        AssertCreated(right, digest);
        Assert.Equal(content, await Client.GetBytesAsync(Blob(digest)));
    }

    [Fact]
    public async Task A_session_of_another_repository_is_unknown_here()
    {
        var location = await Client.StartUploadAsync(Repository);

        await AssertUnknownAsync(location.Replace(Repository, Repository + "-other", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("0")]
    [InlineData("../../secret")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    public async Task An_id_that_was_never_issued_is_unknown(string id) =>
        await AssertUnknownAsync($"/v2/{Repository}/blobs/uploads/{Uri.EscapeDataString(id)}");

    [Theory]
    [InlineData("?digest-algorithm=sha512", 100)]
    [InlineData("?digest-algorithm=sha512", 100_000)]
    [InlineData("", 100)]
    [InlineData("", 100_000)]
    public async Task Sha512_can_be_announced_or_not(string query, int size)
    {
        var content = RegistryClient.RandomBytes(size);
        var digest = RegistryClient.DigestOf(content, DigestAlgorithm.Sha512);

        var location = await Client.StartUploadAsync(Repository, query);
        using var patch = await Client.SendAsync("PATCH", location, content);
        using var put = await Client.SendAsync("PUT", $"{location}?digest={digest}", []);
        using var post = await Client.SendAsync("POST", $"/v2/{Repository}/blobs/uploads/?digest={digest}", content);

        AssertCreated(put, digest);
        AssertCreated(post, digest);
        Assert.Equal(content, await Client.GetBytesAsync(Blob(digest)));
    }

    [Fact]
    public async Task An_unknown_algorithm_is_refused()
    {
        using var answer = await Client.SendAsync("POST", $"/v2/{Repository}/blobs/uploads/?digest-algorithm=md5");

        await AssertErrorAsync(answer, 400, "DIGEST_INVALID");
    }

    [Fact]
    public async Task A_connection_that_breaks_keeps_what_arrived()
    {
        var content = RegistryClient.RandomBytes(200_000);
        var digest = RegistryClient.DigestOf(content);
        var location = await Client.StartUploadAsync(Repository);

        // Bytes that the web server has not handed to the upload are lost with the connection: the test waits until all are written.
        await Client.SendPartAsync(
            $"PATCH {location} HTTP/1.1\r\nHost: test\r\nContent-Length: 200000\r\n\r\n",
            content[..120_000],
            () => WaitUntilAsync(() => Task.FromResult(IsReceived(120_000))));

        var received = await WaitForProgressAsync(location);
        using var rest = await Client.SendAsync("PATCH", location, content[received..], ("Content-Range", $"{received}-199999"));
        using var put = await Client.SendAsync("PUT", $"{location}?digest={digest}", []);

        Assert.Equal(120_000, received);
        AssertCreated(put, digest);
        Assert.Equal(content, await Client.GetBytesAsync(Blob(digest)));
    }

    [Fact]
    public async Task A_second_writer_is_refused_while_the_first_has_the_claim()
    {
        var location = await Client.StartUploadAsync(Repository);
        var slow = new SlowContent();
        var first = Client.SendAsync("PATCH", location, slow);
        await slow.WriteAsync(new byte[51_234]);
        await WaitUntilAsync(() => Task.FromResult(IsReceived(51_234)));

        using var second = await Client.SendAsync("PATCH", location, new byte[10]);
        slow.Finish();
        using var answer = await first;

        AssertProgress(second, HttpStatusCode.RequestedRangeNotSatisfiable, 0);
        AssertProgress(answer, HttpStatusCode.Accepted, 51_234);
    }

    [Fact]
    public async Task The_same_content_pushed_by_many_clients_at_once_is_one_blob()
    {
        var content = RegistryClient.RandomBytes(80_000);

        var digests = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => Client.PushBlobAsync($"{Repository}/{i % 4}", content)));

        Assert.Single(digests.Distinct());
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal(content, await Client.GetBytesAsync($"/v2/{Repository}/{i}/blobs/{digests[0]}"));
        }
    }

    /// <summary>Returns whether an upload has exactly so many bytes on disk. No other test uses the same number.</summary>
    private bool IsReceived(int length) =>
        new DirectoryInfo(Path.Combine(Data, "uploads")).EnumerateFiles().Any(file => file.Exists && file.Length == length);

    private string Blob(Digest digest) => $"/v2/{Repository}/blobs/{digest}";

    private Task<HttpResponseMessage> PatchAsync(string location, byte[] content, int offset, int length) =>
        Client.SendAsync("PATCH", location, content[offset..(offset + length)], ("Content-Range", $"{offset}-{offset + length - 1}"));

    private async Task<int> WaitForProgressAsync(string location)
    {
        var received = 0;
        await WaitUntilAsync(async () =>
        {
            using var status = await Client.SendAsync("GET", location);
            received = int.Parse(Header(status, "Range")["0-".Length..]) + 1;
            return received > 1;
        });
        return received;
    }

    private static async Task WaitUntilAsync(Func<Task<bool>> condition)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        for (var attempt = 0; attempt < 4000; attempt++)
        {
            if (await condition())
            {
                return;
            }

            await timer.WaitForNextTickAsync();
        }

        Assert.Fail("The condition did not become true within 20 seconds.");
    }

    private void AssertCreated(HttpResponseMessage answer, Digest digest)
    {
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        Assert.Equal(Blob(digest), answer.Headers.Location!.OriginalString);
        Assert.Equal(digest.Value, Header(answer, "Docker-Content-Digest"));
    }

    private void AssertProgress(HttpResponseMessage answer, HttpStatusCode status, int length)
    {
        Assert.Equal(status, answer.StatusCode);
        Assert.Equal($"0-{Math.Max(length - 1, 0)}", Header(answer, "Range"));
        Assert.StartsWith($"/v2/{Repository}/blobs/uploads/", answer.Headers.Location!.OriginalString, StringComparison.Ordinal);
        Assert.NotEmpty(Header(answer, "Docker-Upload-UUID"));
    }

    private static async Task AssertMismatchAsync(HttpResponseMessage answer, Digest expected, Digest actual)
    {
        await AssertErrorAsync(answer, 400, "DIGEST_INVALID");
        var error = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["errors"]![0]!;
        Assert.Equal(expected.Value, (string?)error["detail"]!["expected"]);
        Assert.Equal(actual.Value, (string?)error["detail"]!["actual"]);
        Assert.Contains(actual.Value, (string?)error["message"], StringComparison.Ordinal);
    }

    private async Task AssertUnknownAsync(string location)
    {
        using var get = await Client.SendAsync("GET", location);
        using var patch = await Client.SendAsync("PATCH", location, [1]);
        using var put = await Client.SendAsync("PUT", $"{location}?digest={RegistryClient.DigestOf([1])}", [1]);
        using var delete = await Client.SendAsync("DELETE", location);
        foreach (var answer in new[] { get, patch, put, delete })
        {
            await AssertErrorAsync(answer, 404, "BLOB_UPLOAD_UNKNOWN");
        }
    }

    private static StreamContent Chunked(byte[] content) => new(new UnseekableStream(content));
}
