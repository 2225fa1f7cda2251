using System.Text;
using System.Text.Json.Nodes;

namespace Granary.Conformance.Tests;

public sealed class ManifestTests(RegistryFixture fixture) : RegistryTest(fixture)
{
    [Theory]
    [InlineData(MediaTypes.OciManifest)]
    [InlineData(MediaTypes.DockerManifest)]
    [InlineData("application/vnd.example.thing.v1+json")]
    public async Task A_manifest_comes_back_as_it_was_pushed(string mediaType)
    {
        var manifest = await ImageAsync(mediaType: mediaType);
        var digest = RegistryClient.DigestOf(manifest);

        using var push = await Client.PushManifestAsync(Repository, "v1", manifest, mediaType + "; charset=utf-8");
        using var byTag = await Client.SendAsync("GET", Path("v1"));
        using var byDigest = await Client.SendAsync("GET", Path(digest.Value));
        using var head = await Client.SendAsync("HEAD", Path("v1"));

        Assert.Equal(HttpStatusCode.Created, push.StatusCode);
        Assert.Equal(Path("v1"), push.Headers.Location!.OriginalString);
        Assert.Equal(digest.Value, Header(push, "Docker-Content-Digest"));
        Assert.Equal(manifest, await byTag.Content.ReadAsByteArrayAsync());
        Assert.Equal(manifest, await byDigest.Content.ReadAsByteArrayAsync());
        foreach (var answer in new[] { byTag, byDigest, head })
        {
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            Assert.Equal(manifest.Length, answer.Content.Headers.ContentLength);
            Assert.Equal(mediaType, Header(answer, "Content-Type"));
            Assert.Equal(digest.Value, Header(answer, "Docker-Content-Digest"));
            Assert.Equal($"\"{digest}\"", Header(answer, "ETag"));
            Assert.Equal("Accept", Header(answer, "Vary"));
        }
    }

    [Fact]
    public async Task A_manifest_of_two_megabytes_comes_back_too()
    {
        var manifest = await ImageAsync(annotations: new JsonObject { ["long"] = new string('x', 2 * 1024 * 1024) });

        using var push = await Client.PushManifestAsync(Repository, "big", manifest);

        Assert.Equal(HttpStatusCode.Created, push.StatusCode);
        Assert.Equal(manifest, await Client.GetBytesAsync(Path("big")));
    }

    [Fact]
    public async Task A_manifest_may_come_without_a_length()
    {
        var manifest = await ImageAsync();

        using var push = await Client.SendAsync(
            "PUT",
            Path("v1"),
            new StreamContent(new UnseekableStream(manifest)),
            ("Content-Type", MediaTypes.OciManifest));

        Assert.Equal(HttpStatusCode.Created, push.StatusCode);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task More_than_four_megabytes_are_413(bool withLength)
    {
        var body = new byte[Manifest.MaxSize + 1];

        using var push = await Client.SendAsync(
            "PUT",
            Path("v1"),
            withLength ? new ByteArrayContent(body) : new StreamContent(new UnseekableStream(body)),
            ("Content-Type", MediaTypes.OciManifest));

        await AssertErrorAsync(push, 413, "SIZE_INVALID");
    }

    [Fact]
    public async Task A_client_that_has_the_manifest_gets_304()
    {
        var manifest = await ImageAsync();
        using var push = await Client.PushManifestAsync(Repository, "v1", manifest);

        using var answer = await Client.SendAsync(
            "GET",
            Path("v1"),
            headers: [("If-None-Match", $"\"{RegistryClient.DigestOf(manifest)}\"")]);

        Assert.Equal(HttpStatusCode.NotModified, answer.StatusCode);
        Assert.NotEmpty(Header(answer, "Docker-Content-Digest"));
    }

    [Fact]
    public async Task A_tag_of_a_manifest_pushed_by_sha512_answers_sha512()
    {
        var manifest = await ImageAsync();
        var digest = RegistryClient.DigestOf(manifest, DigestAlgorithm.Sha512);

        using var push = await Client.PushManifestAsync(Repository, $"{digest}?tag=v1", manifest);
        using var pull = await Client.SendAsync("GET", Path("v1"));

        Assert.Equal(HttpStatusCode.Created, push.StatusCode);
        Assert.Equal(digest.Value, Header(pull, "Docker-Content-Digest"));
    }

    [Fact]
    public async Task A_hundred_tags_of_128_characters_are_set_at_once()
    {
        var manifest = await ImageAsync();
        var tags = Enumerable.Range(0, 100).Select(i => $"{i:d3}".PadRight(Tag.MaxLength, 'x')).ToArray();

        var query = string.Join('&', tags.Select(tag => "tag=" + tag));
        using var push = await Client.PushManifestAsync(Repository, $"{RegistryClient.DigestOf(manifest)}?{query}", manifest);
        var listed = (await Client.GetJsonAsync($"/v2/{Repository}/tags/list"))["tags"]!.AsArray().Select(tag => (string)tag!);

        Assert.Equal(HttpStatusCode.Created, push.StatusCode);
        Assert.Equal(string.Join(", ", tags), Assert.Single(push.Headers.GetValues("OCI-Tag")));
        Assert.Equal(tags, listed);
    }

    [Fact]
    public async Task One_malformed_tag_of_several_refuses_all()
    {
        var manifest = await ImageAsync();

        using var push = await Client.PushManifestAsync(Repository, $"{RegistryClient.DigestOf(manifest)}?tag=good&tag=-bad", manifest);
        using var pull = await Client.SendAsync("GET", Path("good"));

        await AssertErrorAsync(push, 400, "MANIFEST_INVALID");
        Assert.Equal(HttpStatusCode.NotFound, pull.StatusCode);
    }

    [Fact]
    public async Task A_request_line_that_is_too_long_is_414()
    {
        var answer = await Client.SendRawAsync("PUT", Path("x?" + string.Join('&', Enumerable.Repeat("tag=" + new string('x', 128), 600))));

        Assert.StartsWith("HTTP/1.1 414", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Each_missing_reference_is_an_error_of_its_own()
    {
        var manifest = Manifests.Image([1], [[2], [3], [2]]);

        using var push = await Client.PushManifestAsync(Repository, "v1", manifest);
        var errors = JsonNode.Parse(await push.Content.ReadAsStringAsync())!["errors"]!.AsArray();

        await AssertErrorAsync(push, 400, "MANIFEST_BLOB_UNKNOWN");
        Assert.Equal(
            [RegistryClient.DigestOf([1]).Value, RegistryClient.DigestOf([2]).Value, RegistryClient.DigestOf([3]).Value],
            errors.Select(error => (string)error!["detail"]!["digest"]!));
    }

    [Fact]
    public async Task A_blob_of_another_repository_does_not_count()
    {
        var (config, layer) = (RegistryClient.RandomBytes(10), RegistryClient.RandomBytes(10));
        await Client.PushBlobAsync(Repository + "/other", config);
        await Client.PushBlobAsync(Repository + "/other", layer);

        using var push = await Client.PushManifestAsync(Repository, "v1", Manifests.Image(config, [layer]));

        await AssertErrorAsync(push, 400, "MANIFEST_BLOB_UNKNOWN");
    }

    [Theory]
    [InlineData("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip")]
    [InlineData("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")]
    public async Task A_foreign_layer_may_be_absent(string layerType)
    {
        var config = RegistryClient.RandomBytes(10);
        await Client.PushBlobAsync(Repository, config);
        var manifest = JsonNode.Parse(Manifests.Image(config, []))!;
        manifest["layers"] = new JsonArray(Manifests.Descriptor([9, 9], layerType));

        using var push = await Client.PushManifestAsync(Repository, "v1", Manifests.Bytes(manifest));

        Assert.Equal(HttpStatusCode.Created, push.StatusCode);
        Assert.StartsWith("299 - \"", Header(push, "Warning"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(MediaTypes.OciIndex)]
    [InlineData(MediaTypes.DockerManifestList)]
    public async Task An_index_needs_its_children(string mediaType)
    {
        var child = await ImageAsync();
        var index = Manifests.Index([Manifests.Descriptor(child, MediaTypes.OciManifest)], mediaType: mediaType);

        using var early = await Client.PushManifestAsync(Repository, "all", index, mediaType);
        using var pushChild = await Client.PushManifestAsync(Repository, RegistryClient.DigestOf(child).Value, child);
        using var late = await Client.PushManifestAsync(Repository, "all", index, mediaType);

        await AssertErrorAsync(early, 400, "MANIFEST_BLOB_UNKNOWN");
        Assert.Equal(HttpStatusCode.Created, late.StatusCode);
        Assert.Equal(index, await Client.GetBytesAsync(Path("all")));
    }

    [Fact]
    public async Task An_index_may_list_blobs_as_older_build_caches_do()
    {
        var layer = RegistryClient.RandomBytes(10);
        var digest = await Client.PushBlobAsync(Repository, layer);

        var index = Manifests.Index([Manifests.Descriptor(layer, Manifests.LayerType)]);
        using var push = await Client.PushManifestAsync(Repository, "cache", index, MediaTypes.OciIndex);
        using var delete = await Client.SendAsync("DELETE", $"/v2/{Repository}/blobs/{digest}");

        Assert.Equal(HttpStatusCode.Created, push.StatusCode);
        await AssertErrorAsync(delete, 405, "UNSUPPORTED");
    }

    [Theory]
    [InlineData("""{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}""", MediaTypes.OciIndex)]
    [InlineData("""{"schemaVersion":2,"manifests":[]}""", MediaTypes.OciIndex)]
    public async Task Empty_lists_are_valid(string manifest, string mediaType)
    {
        using var push = await Client.PushManifestAsync(Repository, "empty", Encoding.UTF8.GetBytes(manifest), mediaType);

        Assert.Equal(HttpStatusCode.Created, push.StatusCode);
    }

    [Theory]
    [InlineData("")]
    [InlineData(""","layers":null""")]
    [InlineData(""","layers":[],"annotations":null""")]
    [InlineData(""","layers":[],"subject":null,"artifactType":null""")]
    public async Task An_image_without_layers_is_stored_and_keeps_its_config(string members)
    {
        var config = RegistryClient.RandomBytes(10);
        var digest = await Client.PushBlobAsync(Repository, config);
        var descriptor = $$"""{"mediaType":"c/c","digest":"{{digest}}","size":10,"annotations":null}""";
        var manifest = Encoding.UTF8.GetBytes($$"""{"schemaVersion":2,"config":{{descriptor}}{{members}}}""");

        using var push = await Client.PushManifestAsync(Repository, "scratch", manifest);
        using var delete = await Client.SendAsync("DELETE", $"/v2/{Repository}/blobs/{digest}");

        Assert.Equal(HttpStatusCode.Created, push.StatusCode);
        Assert.Equal(manifest, await Client.GetBytesAsync(Path("scratch")));
        Assert.Equal(HttpStatusCode.MethodNotAllowed, delete.StatusCode);
    }

    [Theory]
    [InlineData("""{"schemaVersion":2,"manifests":null}""")]
    [InlineData("""{"schemaVersion":2,"manifests":null,"annotations":{"a":null}}""")]
    public async Task An_index_whose_manifests_are_null_is_empty(string manifest)
    {
        using var push = await Client.PushManifestAsync(Repository, "empty", Encoding.UTF8.GetBytes(manifest), MediaTypes.OciIndex);

        Assert.Equal(HttpStatusCode.Created, push.StatusCode);
    }

    [Theory]
    [InlineData("", MediaTypes.OciManifest)]
    [InlineData("{", MediaTypes.OciManifest)]
    [InlineData("[]", MediaTypes.OciManifest)]
    [InlineData("null", MediaTypes.OciManifest)]
    [InlineData("""{"schemaVersion":2}""", MediaTypes.OciManifest)]
    [InlineData("""{"schemaVersion":2,"layers":[],"manifests":[]}""", "application/vnd.example+json")]
    [InlineData("""{"schemaVersion":2,"layers":null}""", "application/vnd.example+json")]
    [InlineData("""{"schemaVersion":2,"layers":null,"manifests":null}""", "application/vnd.example+json")]
    [InlineData("""{"schemaVersion":2,"config":null,"layers":[]}""", MediaTypes.OciManifest)]
    [InlineData("""{"schemaVersion":2,"config":null,"manifests":[]}""", MediaTypes.OciIndex)]
    [InlineData("""{"schemaVersion":2}""", MediaTypes.OciIndex)]
    [InlineData("""{"schemaVersion":2,"manifests":[]}""", MediaTypes.OciManifest)]
    [InlineData(
        """{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}""",
        MediaTypes.DockerManifestList)]
    [InlineData("""{"schemaVersion":1,"name":"a","tag":"b","fsLayers":[]}""", "application/vnd.docker.distribution.manifest.v1+json")]
    [InlineData("""{"schemaVersion":1,"name":"a","tag":"b","fsLayers":[]}""", "application/json")]
    [InlineData("""{"schemaVersion":2,"layers":[],"layers":[]}""", "application/vnd.example+json")]
    [InlineData(
        """
        {"schemaVersion":2,"manifests":[
        {"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":-1}]}
        """,
        MediaTypes.OciIndex)]
    [InlineData("""{"schemaVersion":2,"manifests":[],"annotations":{"a":1}}""", MediaTypes.OciIndex)]
    [InlineData("""{"schemaVersion":2,"manifests":[],"artifactType":"\ud800"}""", MediaTypes.OciIndex)]
    [InlineData(
        """
        {"schemaVersion":2,"manifests":[
        {"digest":"sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a","size":2,"annotations":{"a":1}}]}
        """,
        MediaTypes.OciIndex)]
    public async Task A_body_that_is_not_a_manifest_is_refused(string manifest, string mediaType)
    {
        using var push = await Client.PushManifestAsync(Repository, "bad", Encoding.UTF8.GetBytes(manifest), mediaType);

        await AssertErrorAsync(push, 400, "MANIFEST_INVALID");
    }

    [Theory]
    [InlineData("sha256:abc")]
    [InlineData("md5:d41d8cd98f00b204e9800998ecf8427e")]
    public async Task A_malformed_digest_inside_a_manifest_is_refused(string digest)
    {
        var manifest = $$"""{"schemaVersion":2,"manifests":[{"mediaType":"a/b","digest":"{{digest}}","size":1}]}""";

        using var push = await Client.PushManifestAsync(Repository, "bad", Encoding.UTF8.GetBytes(manifest), MediaTypes.OciIndex);

        await AssertErrorAsync(push, 400, "DIGEST_INVALID");
    }

    [Fact]
    public async Task A_manifest_is_not_accepted_under_another_digest()
    {
        using var push = await Client.PushManifestAsync(Repository, RegistryClient.DigestOf([1]).Value, await ImageAsync());

        await AssertErrorAsync(push, 400, "DIGEST_INVALID");
    }

    [Theory]
    [InlineData("-bad", "MANIFEST_INVALID")]
    [InlineData(".bad", "MANIFEST_INVALID")]
    [InlineData("sha256:bad", "DIGEST_INVALID")]
    [InlineData("b%20d", "MANIFEST_INVALID")]
    public async Task A_malformed_reference_is_refused_on_push(string reference, string code)
    {
        using var push = await Client.PushManifestAsync(Repository, reference, await ImageAsync());

        await AssertErrorAsync(push, 400, code);
    }

    [Theory]
    [InlineData("nothing")]
    [InlineData("-bad")]
    [InlineData("sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a")]
    public async Task An_unknown_manifest_is_404(string reference)
    {
        using var get = await Client.SendAsync("GET", Path(reference));
        using var head = await Client.SendAsync("HEAD", Path(reference));
        using var delete = await Client.SendAsync("DELETE", Path(reference));

        await AssertErrorAsync(get, 404, "MANIFEST_UNKNOWN");
        Assert.Equal(HttpStatusCode.NotFound, head.StatusCode);
        await AssertErrorAsync(delete, 404, "MANIFEST_UNKNOWN");
    }

    [Theory]
    [InlineData(MediaTypes.DockerManifest, true)]
    [InlineData(MediaTypes.DockerManifest + ";q=1, " + MediaTypes.DockerManifestList + ";q=0", true)]
    [InlineData(MediaTypes.DockerManifestList, false)]
    [InlineData(MediaTypes.DockerManifest + ", " + MediaTypes.OciIndex, false)]
    [InlineData("*/*", false)]
    [InlineData("", false)]
    public async Task Only_clients_older_than_manifest_lists_get_a_child_of_one(string accept, bool child)
    {
        var image = await ImageAsync(mediaType: MediaTypes.DockerManifest);
        var imageDigest = RegistryClient.DigestOf(image).Value;
        using var pushChild = await Client.PushManifestAsync(Repository, imageDigest, image, MediaTypes.DockerManifest);
        var descriptor = Manifests.Descriptor(image, MediaTypes.DockerManifest);
        descriptor["platform"] = new JsonObject { ["os"] = "linux", ["architecture"] = "amd64" };
        var list = Manifests.Index([descriptor], mediaType: MediaTypes.DockerManifestList);
        using var push = await Client.PushManifestAsync(Repository, "list", list, MediaTypes.DockerManifestList);

        var headers = accept.Length == 0 ? Array.Empty<(string, string)>() : [("Accept", accept)];
        using var byTag = await Client.SendAsync("GET", Path("list"), headers: headers);
        using var headByTag = await Client.SendAsync("HEAD", Path("list"), headers: headers);
        using var byDigest = await Client.SendAsync("GET", Path(RegistryClient.DigestOf(list).Value), headers: headers);

        var expected = child ? image : list;
        Assert.Equal(expected, await byTag.Content.ReadAsByteArrayAsync());
        Assert.Equal(RegistryClient.DigestOf(expected).Value, Header(headByTag, "Docker-Content-Digest"));
        Assert.Equal(list, await byDigest.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task A_tag_is_deleted_and_nothing_else()
    {
        var (digest, manifest) = await Client.PushImageAsync(Repository, "v1");
        using var second = await Client.PushManifestAsync(Repository, "v2", manifest);

        using var delete = await Client.SendAsync("DELETE", Path("v1"));
        using var gone = await Client.SendAsync("GET", Path("v1"));

        Assert.Equal(HttpStatusCode.Accepted, delete.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
        Assert.Equal(manifest, await Client.GetBytesAsync(Path("v2")));
        Assert.Equal(manifest, await Client.GetBytesAsync(Path(digest.Value)));
    }

    [Fact]
    public async Task A_manifest_is_deleted_with_its_tags()
    {
        var (digest, manifest) = await Client.PushImageAsync(Repository, "v1");
        using var second = await Client.PushManifestAsync(Repository, "v2", manifest);

        using var delete = await Client.SendAsync("DELETE", Path(digest.Value));

        Assert.Equal(HttpStatusCode.Accepted, delete.StatusCode);
        foreach (var reference in new[] { "v1", "v2", digest.Value })
        {
            using var gone = await Client.SendAsync("GET", Path(reference));
            await AssertErrorAsync(gone, 404, "MANIFEST_UNKNOWN");
        }

        Assert.Equal([], (await Client.GetJsonAsync($"/v2/{Repository}/tags/list"))["tags"]!.AsArray());
    }

    [Fact]
    public async Task Deleting_an_index_leaves_its_children()
    {
        var (child, manifest) = await Client.PushImageAsync(Repository, "child");
        var index = Manifests.Index([Manifests.Descriptor(manifest, MediaTypes.OciManifest)]);
        using var push = await Client.PushManifestAsync(Repository, "all", index, MediaTypes.OciIndex);

        using var delete = await Client.SendAsync("DELETE", Path(RegistryClient.DigestOf(index).Value));

        Assert.Equal(HttpStatusCode.Accepted, delete.StatusCode);
        Assert.Equal(manifest, await Client.GetBytesAsync(Path(child.Value)));
    }

    [Fact]
    public async Task A_tag_is_created_only_if_it_is_new()
    {
        var (_, first) = await Client.PushImageAsync(Repository, "other");
        var answers = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ =>
            Client.PushManifestAsync(Repository, "once", first, headers: [("If-None-Match", "*")])));

        Assert.Single(answers, answer => answer.StatusCode == HttpStatusCode.Created);
        foreach (var refused in answers.Where(answer => answer.StatusCode != HttpStatusCode.Created))
        {
            await AssertErrorAsync(refused, 412, "DENIED");
            Assert.Equal($"\"{RegistryClient.DigestOf(first)}\"", Header(refused, "ETag"));
        }
    }

    [Fact]
    public async Task A_tag_is_moved_only_from_where_the_client_saw_it()
    {
        var (first, _) = await Client.PushImageAsync(Repository, "v1");
        var (second, manifest) = await Client.PushImageAsync(Repository, "other");

        using var wrong = await Client.PushManifestAsync(Repository, "v1", manifest, headers: [("If-Match", $"\"{second}\"")]);
        using var right = await Client.PushManifestAsync(Repository, "v1", manifest, headers: [("If-Match", $"\"{first}\"")]);
        using var stale = await Client.PushManifestAsync(Repository, "v1", manifest, headers: [("If-Match", $"\"{first}\"")]);
        using var absent = await Client.PushManifestAsync(Repository, "new", manifest, headers: [("If-Match", "*")]);

        await AssertErrorAsync(wrong, 412, "DENIED");
        Assert.Equal(HttpStatusCode.Created, right.StatusCode);
        await AssertErrorAsync(stale, 412, "DENIED");
        await AssertErrorAsync(absent, 412, "DENIED");
    }

    [Fact]
    public async Task A_condition_needs_exactly_one_tag()
    {
        var manifest = await ImageAsync();
        var digest = RegistryClient.DigestOf(manifest);

        using var none = await Client.PushManifestAsync(Repository, digest.Value, manifest, headers: [("If-None-Match", "*")]);
        using var two = await Client.PushManifestAsync(Repository, $"{digest}?tag=a&tag=b", manifest, headers: [("If-None-Match", "*")]);
        using var one = await Client.PushManifestAsync(Repository, $"{digest}?tag=a", manifest, headers: [("If-None-Match", "*")]);
        using var malformed = await Client.PushManifestAsync(Repository, "c", manifest, headers: [("If-Match", "nonsense")]);

        await AssertErrorAsync(none, 400, "UNSUPPORTED");
        await AssertErrorAsync(two, 400, "UNSUPPORTED");
        Assert.Equal(HttpStatusCode.Created, one.StatusCode);
        await AssertErrorAsync(malformed, 400, "UNSUPPORTED");
    }

    private string Path(string reference) => $"/v2/{Repository}/manifests/{reference}";

    private async Task<byte[]> ImageAsync(string mediaType = MediaTypes.OciManifest, JsonObject? annotations = null)
    {
        var (config, layer) = (RegistryClient.RandomBytes(20), RegistryClient.RandomBytes(30));
        await Client.PushBlobAsync(Repository, config);
        await Client.PushBlobAsync(Repository, layer);
        return Manifests.Image(config, [layer], annotations: annotations, mediaType: mediaType);
    }
}
