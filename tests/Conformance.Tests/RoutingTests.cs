namespace Granary.Conformance.Tests;

public sealed class RoutingTests(RegistryFixture fixture) : RegistryTest(fixture)
{
    [Theory]
    [InlineData("/v2/")]
    [InlineData("/v2")]
    public async Task The_root_answers_that_this_is_a_registry(string path)
    {
        using var answer = await Client.SendAsync("GET", path);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("registry/2.0", Header(answer, "Docker-Distribution-Api-Version"));
        Assert.NotEmpty(Header(answer, "X-Request-Id"));
    }

    [Theory]
    [InlineData("/v2/Upper/tags/list")]
    [InlineData("/v2/a..b/tags/list")]
    [InlineData("/v2/-a/tags/list")]
    [InlineData("/v2/a%2Fb/tags/list")]
    [InlineData("/v2/a%2fb/manifests/latest")]
    [InlineData("/v2/a//b/tags/list")]
    [InlineData("/v2//tags/list")]
    [InlineData("/v2/a/../b/tags/list")]
    [InlineData("/v2/a/./b/tags/list")]
    [InlineData("/v2/../a/tags/list")]
    [InlineData("/v2/a/%2e%2e/b/manifests/latest")]
    [InlineData("/v2/a\\b/tags/list")]
    [InlineData("/v2/a___b/tags/list")]
    [InlineData("/v2/_catalog/tags/list")]
    [InlineData("/v2/a%01b/tags/list")]
    public async Task A_malformed_name_is_refused_as_it_was_sent(string path)
    {
        var answer = await Client.SendRawAsync("GET", path);

        Assert.StartsWith("HTTP/1.1 400", answer, StringComparison.Ordinal);
        Assert.Contains("NAME_INVALID", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_name_may_have_255_bytes_and_no_more()
    {
        var longest = string.Join('/', Enumerable.Repeat(new string('a', 63), 4));
        await Client.PushBlobAsync(longest, [1]);

        using var tooLong = await Client.SendAsync("GET", $"/v2/{longest}a/tags/list");

        Assert.Equal(RepositoryName.MaxLength, longest.Length);
        await AssertErrorAsync(tooLong, 400, "NAME_INVALID");
    }

    [Theory]
    [InlineData("/v2/foo")]
    [InlineData("/v2/foo/bar")]
    [InlineData("/v2/_catalog/")]
    [InlineData("/v2/foo/tags")]
    [InlineData("/v2/foo/tags/other")]
    [InlineData("/v1/search?q=x")]
    [InlineData("/v20/")]
    public async Task A_path_outside_the_protocol_is_404(string path)
    {
        using var answer = await Client.SendAsync("GET", path);

        await AssertErrorAsync(answer, 404, "UNSUPPORTED");
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("HEAD")]
    public async Task The_root_of_the_host_answers_200_to_load_balancers_while_the_registry_is_ready(string method)
    {
        using var answer = await Client.SendAsync(method, "/");

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Theory]
    [InlineData("POST", "/v2/", "GET, HEAD")]
    [InlineData("DELETE", "/v2/_catalog", "GET")]
    [InlineData("POST", "/v2/foo/manifests/latest", "GET, HEAD, PUT, DELETE")]
    [InlineData("PUT", "/v2/foo/blobs/sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "GET, HEAD, DELETE")]
    [InlineData("GET", "/v2/foo/blobs/uploads/", "POST")]
    [InlineData("POST", "/v2/foo/blobs/uploads/x", "GET, PATCH, PUT, DELETE")]
    [InlineData("PUT", "/v2/foo/tags/list", "GET")]
    [InlineData("POST", "/v2/foo/referrers/x", "GET")]
    public async Task A_method_that_the_path_does_not_support_is_405(string method, string path, string allowed)
    {
        using var answer = await Client.SendAsync(method, path);

        await AssertErrorAsync(answer, 405, "UNSUPPORTED");
        Assert.Equal(allowed, Header(answer, "Allow"));
    }

    [Theory]
    [InlineData("head", "/v2/", "GET, HEAD")]
    [InlineData("get", "/v2/", "GET, HEAD")]
    [InlineData("Get", "/v2/_catalog", "GET")]
    [InlineData("get", "/v2/foo/manifests/latest", "GET, HEAD, PUT, DELETE")]
    [InlineData("Head", "/v2/foo/blobs/sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a", "GET, HEAD, DELETE")]
    [InlineData("post", "/v2/foo/blobs/uploads/", "POST")]
    [InlineData("patch", "/v2/foo/blobs/uploads/x", "GET, PATCH, PUT, DELETE")]
    [InlineData("get", "/healthz", "GET, HEAD")]
    [InlineData("POST", "/healthz", "GET, HEAD")]
    [InlineData("head", "/readyz", "GET, HEAD")]
    public async Task Methods_are_case_sensitive(string method, string path, string allowed)
    {
        var answer = await Client.SendRawAsync(method, path);

        Assert.StartsWith("HTTP/1.1 405 ", answer, StringComparison.Ordinal);
        Assert.Contains($"Allow: {allowed}\r\n", answer, StringComparison.Ordinal);
        Assert.Contains("UNSUPPORTED", answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/healthz")]
    [InlineData("/readyz")]
    public async Task Health_has_a_HEAD(string path)
    {
        var answer = await Client.SendRawAsync("HEAD", path);

        Assert.StartsWith("HTTP/1.1 200 ", answer, StringComparison.Ordinal);
        Assert.EndsWith("\r\n\r\n", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Many_and_large_headers_are_taken_as_proxies_send_them()
    {
        var many = Enumerable.Range(0, 150).Select(i => ($"X-Hop-{i}", "value")).ToArray();

        using var count = await Client.SendAsync("GET", "/v2/", headers: many);
        using var size = await Client.SendAsync("GET", "/v2/", headers: [("Cookie", new string('c', 48 * 1024))]);

        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (count.StatusCode, size.StatusCode));
    }

    [Fact]
    public async Task Unknown_parameters_are_ignored()
    {
        await Client.PushImageAsync(Repository, "v1");

        using var answer = await Client.SendAsync("GET", $"/v2/{Repository}/manifests/v1?ns=docker.io&whatever=%zz&=&");

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task Words_of_the_protocol_can_be_names()
    {
        foreach (var name in new[] { "blobs/uploads", "manifests/tags", "tags/list/referrers" })
        {
            var repository = $"{Repository}/{name}";
            var (_, manifest) = await Client.PushImageAsync(repository, "list");

            Assert.Equal(manifest, await Client.GetBytesAsync($"/v2/{repository}/manifests/list"));
        }
    }

    [Fact]
    public async Task A_TLS_greeting_on_the_plain_port_is_answered_with_an_HTTP_400()
    {
        const string greeting = "\u0016\u0003\u0001\u0002\u0000\u0001\u0000\u0001\u00fc\u0003\u0003";
        var answer = await Client.SendRawAsync(greeting + new string('x', 200) + "\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 400", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_absolute_target_is_understood()
    {
        var answer = await Client.SendRawAsync("GET", "http://test/v2/");

        Assert.StartsWith("HTTP/1.1 200", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Answers_are_never_compressed()
    {
        using var answer = await Client.SendAsync("GET", "/v2/_catalog", headers: [("Accept-Encoding", "gzip, br")]);

        Assert.Empty(Header(answer, "Content-Encoding"));
        Assert.NotNull(answer.Content.Headers.ContentLength);
    }
}
