namespace Granary.Maintenance.Tests;

/// <summary>The administration's API over HTTP: refusals, bad requests, and the progress of operations.</summary>
public sealed class AdminApiTests : IAsyncLifetime
{
    private readonly ShiftedTime _time = new();
    private TestRegistry _registry = null!;

    private RegistryClient Client => _registry.Client;

    public async Task InitializeAsync() => _registry = await TestRegistry.StartAsync(time: _time);

    public async Task DisposeAsync() => await _registry.DisposeAsync();

    [Theory]
    [InlineData("X-Forwarded-For", "127.0.0.1")]
    [InlineData("Forwarded", "for=127.0.0.1")]
    [InlineData("X-Forwarded-Host", "localhost")]
    [InlineData("X-Real-IP", "127.0.0.1")]
    [InlineData("Via", "1.1 proxy")]
    [InlineData("Origin", "http://127.0.0.1")]
    [InlineData("Host", "registry.example.com")]
    public async Task Requests_of_proxies_and_web_pages_are_refused(string header, string value)
    {
        using var start = await Client.PostAsync("""{"kind":"collection"}""", (header, value));
        using var list = await Client.SendAsync("GET", Admin.Operations, headers: (header, value));

        Assert.Equal(HttpStatusCode.Forbidden, start.StatusCode);
        Assert.Equal(["DENIED"], await RegistryClient.ErrorCodesAsync(start));
        Assert.Equal(HttpStatusCode.Forbidden, list.StatusCode);
        Assert.Empty((await Client.GetJsonAsync(Admin.Operations))["operations"]!.AsArray());
    }

    [Theory]
    [InlineData("get", "/granary/v1/operations", "POST, GET")]
    [InlineData("PUT", "/granary/v1/operations/1", "GET, DELETE")]
    [InlineData("DELETE", "/granary/v1/explain", "GET")]
    public async Task An_unknown_method_of_a_path_is_405(string method, string path, string allowed)
    {
        // Sent raw, because a client library would write "get" in capitals.
        var answer = await Client.SendRawAsync(
            $"{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {Client.AdminToken}\r\nConnection: close\r\n\r\n");

        Assert.StartsWith("HTTP/1.1 405 ", answer, StringComparison.Ordinal);
        Assert.Contains($"Allow: {allowed}\r\n", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_API_can_be_turned_off()
    {
        await Client.GetJsonAsync(Admin.Operations);
        await using var registry = await TestRegistry.StartAsync(new Dictionary<string, string> { ["admin.enabled"] = "false" });

        using var answer = await registry.Client.SendAsync("GET", Admin.Operations);

        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{")]
    [InlineData("{}")]
    [InlineData("""{"kind":"holiday"}""")]
    [InlineData("""{"kind":"collection","grace":"-1h"}""")]
    [InlineData("""{"kind":"collection","grace":"soon"}""")]
    [InlineData("""{"kind":"collection","grace":3600}""")]
    [InlineData("""{"kind":"collection","untaggedAge":"1w"}""")]
    [InlineData("""{"kind":"collection","dryrun!":true}""")]
    [InlineData("""{"kind":"deletion"}""")]
    [InlineData("""{"kind":"deletion","repository":"No/Such Name"}""")]
    [InlineData("""{"kind":"backup"}""")]
    [InlineData("""{"kind":"backup","directory":"relative/path"}""")]
    [InlineData("""{"kind":"scrub","bytesPerSecond":0}""")]
    public async Task An_invalid_request_is_400_and_starts_no_operation(string request)
    {
        using var answer = await Client.PostAsync(request);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal(["UNSUPPORTED"], await RegistryClient.ErrorCodesAsync(answer));
        Assert.Empty((await Client.GetJsonAsync(Admin.Operations))["operations"]!.AsArray());
    }

    [Fact]
    public async Task A_broken_body_and_one_that_is_too_long_are_400()
    {
        var broken = await Client.SendRawAsync(
            "POST /granary/v1/operations HTTP/1.1\r\nHost: localhost\r\n" +
            Client.AdminHeader + "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\nXX\r\n");
        var tooLong = new StringContent($$"""{"kind":"{{new string('x', 70_000)}}"}""", mediaType: new("application/json"));
        using var endless = await Client.SendAsync("POST", Admin.Operations, tooLong, ("Transfer-Encoding", "chunked"));

        Assert.StartsWith("HTTP/1.1 400 ", broken, StringComparison.Ordinal);
        Assert.Contains("\"UNSUPPORTED\"", broken, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.BadRequest, endless.StatusCode);
        Assert.Equal(["UNSUPPORTED"], await RegistryClient.ErrorCodesAsync(endless));
    }

    [Theory]
    [InlineData("GET", "/granary/v1/operations/none", 404)]
    [InlineData("DELETE", "/granary/v1/operations/none", 404)]
    [InlineData("PUT", "/granary/v1/operations", 405)]
    [InlineData("GET", "/granary/v2", 404)]
    [InlineData("GET", "/granary/v1/operations?kind=holiday", 400)]
    [InlineData("GET", "/granary/v1/explain", 400)]
    [InlineData("GET", "/granary/v1/explain?repository=app&digest=sha256:12", 400)]
    [InlineData(
        "GET",
        "/granary/v1/explain?repository=APP&digest=sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        400)]
    public async Task Unknown_paths_operations_and_kinds_get_an_error(string method, string path, int status)
    {
        using var answer = await Client.SendAsync(method, path);

        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Single(await RegistryClient.ErrorCodesAsync(answer));
    }

    [Fact]
    public async Task A_dry_run_counts_what_a_collection_then_removes()
    {
        var (kept, _, _) = await Client.PushLargeAsync("app", "v1");
        var (gone, layer, _) = await Client.PushLargeAsync("app", "v2");
        using (var mount = await Client.SendAsync("POST", $"/v2/other/blobs/uploads/?mount={layer}&from=app"))
        {
            Assert.Equal(HttpStatusCode.Created, mount.StatusCode);
        }

        var (only, _, _) = await Client.PushLargeAsync("app", "v3");
        await Client.DeleteAsync($"/v2/app/manifests/{gone}");
        await Client.DeleteAsync($"/v2/app/manifests/{only}");

        var nothing = await Client.RunAsync("""{"kind":"collection","dryRun":true}""");
        var told = await Client.RunAsync("""{"kind":"collection","dryRun":true,"grace":"0s"}""");
        Assert.Equal(3, Admin.Objects(_registry.Data).Length);
        var done = await Client.RunAsync("""{"kind":"collection","grace":"0s"}""");

        Assert.Equal(0, nothing.Count("unlinked"));
        Assert.All((JsonNode[])[told, done], operation =>
        {
            Assert.Equal("done", operation.State());
            Assert.Equal(5, operation.Count("unlinked"));
            Assert.Equal(4, operation.Count("blobs"));
            Assert.Equal(200_100, operation.Count("bytes"));
            Assert.Empty(operation.Findings());
        });
        Assert.Single(Admin.Objects(_registry.Data));
        Assert.Equal(HttpStatusCode.NotFound, await Client.HeadAsync($"/v2/other/blobs/{layer}"));
        Assert.Equal(HttpStatusCode.OK, await Client.HeadAsync($"/v2/app/manifests/{kept}"));
    }

    [Fact]
    public async Task A_collection_removes_untagged_manifests_of_an_age_on_request()
    {
        var (old, _, _) = await Client.PushLargeAsync("app", "latest");
        _time.Advance(TimeSpan.FromDays(3));
        await Client.PushLargeAsync("app", "latest");

        // The age counts from the loss of the last tag, so that there is a way back.
        var early = await Client.RunAsync("""{"kind":"collection","untaggedAge":"2d"}""");
        Assert.Equal(0, early.Count("manifests"));
        Assert.Equal(HttpStatusCode.OK, await Client.HeadAsync($"/v2/app/manifests/{old}"));
        _time.Advance(TimeSpan.FromDays(3));
        var (young, _, _) = await Client.PushLargeAsync("app", "other");
        await Client.DeleteAsync("/v2/app/manifests/other");

        var plain = await Client.RunAsync("""{"kind":"collection"}""");
        var told = await Client.RunAsync("""{"kind":"collection","untaggedAge":"2d","dryRun":true}""");
        Assert.Equal(HttpStatusCode.OK, await Client.HeadAsync($"/v2/app/manifests/{old}"));
        var done = await Client.RunAsync("""{"kind":"collection","untaggedAge":"2d"}""");

        Assert.Equal((0, 1, 1), (plain.Count("manifests"), told.Count("manifests"), done.Count("manifests")));
        Assert.Equal(HttpStatusCode.NotFound, await Client.HeadAsync($"/v2/app/manifests/{old}"));
        Assert.Equal(HttpStatusCode.OK, await Client.HeadAsync($"/v2/app/manifests/{young}"));
        Assert.Equal(HttpStatusCode.OK, await Client.HeadAsync("/v2/app/manifests/latest"));
    }

    [Fact]
    public async Task One_operation_of_a_kind_runs_at_a_time_and_can_be_cancelled_in_the_middle_of_a_step()
    {
        await Client.PushLargeAsync("app", "v1");
        var scrub = (await Client.StartAsync("""{"kind":"scrub","bytesPerSecond":1}"""))["id"]!.GetValue<string>();
        await Client.WaitAsync(scrub, operation => operation.State() == "running");

        using (var second = await Client.PostAsync("""{"kind":"scrub"}"""))
        {
            Assert.Equal(HttpStatusCode.Conflict, second.StatusCode);
            var refusal = JsonNode.Parse(await second.Content.ReadAsStringAsync())!;
            Assert.Equal(scrub, refusal["errors"]![0]!["detail"]!["id"]!.GetValue<string>());
        }

        // An operation of another kind may run at the same time.
        Assert.Equal("done", (await Client.RunAsync("""{"kind":"collection"}""")).State());

        using (var cancel = await Client.SendAsync("DELETE", $"{Admin.Operations}/{scrub}"))
        {
            Assert.Equal(HttpStatusCode.OK, cancel.StatusCode);
        }

        Assert.Equal("cancelled", (await Client.WaitAsync(scrub)).State());
        Assert.Equal("done", (await Client.RunAsync("""{"kind":"scrub"}""")).State());
        var list = (await Client.GetJsonAsync($"{Admin.Operations}?kind=scrub&limit=10"))["operations"]!.AsArray();
        Assert.Equal(["done", "cancelled"], list.Select(operation => operation!.State()));
    }

    [Fact]
    public async Task Of_many_starts_at_once_one_is_accepted()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => Client.PostAsync("""{"kind":"collection"}""")));

        Assert.Single(answers, answer => answer.StatusCode == HttpStatusCode.Accepted);
        Assert.All(
            answers.Where(answer => answer.StatusCode != HttpStatusCode.Accepted),
            answer => Assert.Equal(HttpStatusCode.Conflict, answer.StatusCode));
        foreach (var answer in answers)
        {
            answer.Dispose();
        }
    }

    [Fact]
    public async Task A_deletion_removes_a_repository_with_everything_in_it()
    {
        await Client.PushLargeAsync("app", "v1");
        var (_, layer, content) = await Client.PushLargeAsync("app", "v2");
        await Client.PushLargeAsync("other", "v1", content);

        var deletion = await Client.RunAsync("""{"kind":"deletion","repository":"app"}""");

        Assert.Equal("done", deletion.State());
        var catalog = await Client.GetJsonAsync("/v2/_catalog");
        Assert.Equal(["other"], catalog["repositories"]!.AsArray().Select(name => name!.GetValue<string>()));
        Assert.Equal(HttpStatusCode.NotFound, await Client.HeadAsync("/v2/app/manifests/v1"));
        await Client.RunAsync("""{"kind":"collection","grace":"0s"}""");
        Assert.Single(Admin.Objects(_registry.Data));
        Assert.Equal(content, await Client.GetBytesAsync($"/v2/other/blobs/{layer}"));

        // The deletion of an unknown repository succeeds, because it can be a repetition.
        Assert.Equal("done", (await Client.RunAsync("""{"kind":"deletion","repository":"never/was"}""")).State());
    }

    [Fact]
    public async Task An_explanation_says_what_keeps_content_and_when_it_is_removed()
    {
        var (manifest, layer, _) = await Client.PushLargeAsync("app", "v1");
        var index = Manifests.Index([Manifests.Descriptor(manifest, 500, MediaTypes.OciManifest)]);
        using (var answer = await Client.PushManifestAsync("app", "all", index, MediaTypes.OciIndex))
        {
            Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        }

        var ofManifest = await ExplainAsync("app", manifest);
        var ofLayer = await ExplainAsync("app", layer);
        Assert.Contains("Tags point at it: v1.", ofManifest, StringComparison.Ordinal);
        Assert.Contains($"Indexes name it: {RegistryClient.DigestOf(index)}.", ofManifest, StringComparison.Ordinal);
        Assert.Contains(manifest.Value, ofLayer, StringComparison.Ordinal);
        Assert.Contains("Repositories that refer to it, 1 in all: app", ofLayer, StringComparison.Ordinal);

        await Client.DeleteAsync($"/v2/app/manifests/{RegistryClient.DigestOf(index)}");
        await Client.DeleteAsync($"/v2/app/manifests/{manifest}");
        Assert.Contains("leaves the repository after", await ExplainAsync("app", layer), StringComparison.Ordinal);
        Assert.Contains("Unknown: app has neither a manifest nor a blob", await ExplainAsync("app", manifest), StringComparison.Ordinal);

        var blob = await Client.PushBlobAsync("app", RegistryClient.RandomBytes(100));
        Assert.Contains("The registry keeps it in a row.", await ExplainAsync("app", blob), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_explanation_of_a_tag_is_that_of_its_manifest()
    {
        var (manifest, layer, _) = await Client.PushLargeAsync("app", "v1");

        var ofTag = await Client.GetJsonAsync("/granary/v1/explain?repository=app&reference=v1");
        var ofLayer = await Client.GetJsonAsync($"/granary/v1/explain?repository=app&reference={layer}");
        var ofNothing = await Client.GetJsonAsync($"/granary/v1/explain?repository=other&reference={layer}");
        using var unknown = await Client.SendAsync("GET", "/granary/v1/explain?repository=app&reference=v2");

        Assert.Equal((manifest.Value, true), (ofTag["digest"]!.GetValue<string>(), ofTag["isKnown"]!.GetValue<bool>()));
        Assert.True(ofLayer["isKnown"]!.GetValue<bool>());
        Assert.False(ofNothing["isKnown"]!.GetValue<bool>());
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
        Assert.Contains("Unknown: app has no tag v2.", await unknown.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_untagged_manifest_says_since_when_it_has_no_tag()
    {
        var (manifest, _) = await Client.PushImageAsync("app", "v1");
        Assert.DoesNotContain("lost its last tag", await ExplainAsync("app", manifest), StringComparison.Ordinal);
        await Client.PushImageAsync("app", "v1");

        var text = await ExplainAsync("app", manifest);

        var line = (await Client.LinesAsync("app", "v1"))[0];
        var time = line["time"]!.GetValue<DateTimeOffset>().UtcDateTime;
        Assert.Contains($"It lost its last tag {time:yyyy-MM-dd'T'HH:mm:ss'Z'}; ", text, StringComparison.Ordinal);
    }

    private async Task<string> ExplainAsync(string repository, Digest digest)
    {
        var explanation = await Client.GetJsonAsync($"/granary/v1/explain?repository={repository}&digest={digest}");
        return string.Join('\n', explanation["text"]!.AsArray().Select(line => line!.GetValue<string>()));
    }
}
