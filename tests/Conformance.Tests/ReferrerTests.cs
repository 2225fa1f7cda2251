using System.Text.Json.Nodes;

namespace Granary.Conformance.Tests;

public sealed class ReferrerTests(RegistryFixture fixture) : RegistryTest(fixture)
{
    private static readonly byte[] Empty = "{}"u8.ToArray();

    [Fact]
    public async Task A_digest_without_referrers_has_an_empty_index()
    {
        using var answer = await Client.SendAsync("GET", $"/v2/{Repository}/referrers/{RegistryClient.DigestOf([1])}");
        var index = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(MediaTypes.OciIndex, Header(answer, "Content-Type"));
        Assert.Equal(2, (int)index["schemaVersion"]!);
        Assert.Equal(MediaTypes.OciIndex, (string)index["mediaType"]!);
        Assert.Equal("[]", index["manifests"]!.ToJsonString());
        Assert.Empty(Header(answer, "OCI-Filters-Applied"));
    }

    [Fact]
    public async Task A_malformed_digest_is_refused()
    {
        using var answer = await Client.SendAsync("GET", $"/v2/{Repository}/referrers/sha256:abc");

        await AssertErrorAsync(answer, 400, "DIGEST_INVALID");
    }

    [Fact]
    public async Task Referrers_are_listed_with_their_types_and_annotations()
    {
        var (subject, manifest) = await Client.PushImageAsync(Repository, "v1");
        var subjectDescriptor = () => Manifests.Descriptor(manifest, MediaTypes.OciManifest);
        await Client.PushBlobAsync(Repository, Empty);

        var annotations = new JsonObject { ["a"] = "b" };
        var artifact = Manifests.Image(Empty, [Empty], subjectDescriptor(), "application/vnd.example.sbom+json", annotations);
        var byConfig = Manifests.Image(Empty, [], subjectDescriptor());
        var index = Manifests.Index([], subjectDescriptor());
        using var first = await Client.PushManifestAsync(Repository, RegistryClient.DigestOf(artifact).Value, artifact);
        using var second = await Client.PushManifestAsync(Repository, "by-config", byConfig);
        using var third = await Client.PushManifestAsync(Repository, RegistryClient.DigestOf(index).Value, index, MediaTypes.OciIndex);

        Assert.All([first, second, third], push => Assert.Equal(subject.Value, Header(push, "OCI-Subject")));
        var listed = await ListAsync(subject);
        Assert.Equal(3, listed.Count);
        Assert.Equal(("application/vnd.example.sbom+json", artifact.Length, """{"a":"b"}"""), Entry(listed, artifact));
        Assert.Equal((Manifests.ConfigType, byConfig.Length, null), Entry(listed, byConfig));
        Assert.Equal((null, index.Length, null), Entry(listed, index));
    }

    [Theory]
    [InlineData("application/vnd.example.sbom+json")]
    [InlineData("application/vnd.example.sbom%2Bjson")]
    public async Task Referrers_are_filtered_by_type_whether_the_plus_is_escaped_or_not(string type)
    {
        var subject = RegistryClient.DigestOf(RegistryClient.RandomBytes(10));
        await Client.PushBlobAsync(Repository, Empty);
        foreach (var artifactType in new[] { "application/vnd.example.sbom+json", "application/vnd.example.signature+json" })
        {
            var artifact = Manifests.Image(Empty, [], Manifests.Descriptor(subject, 10, MediaTypes.OciManifest), artifactType);
            using var push = await Client.PushManifestAsync(Repository, RegistryClient.DigestOf(artifact).Value, artifact);
        }

        using var answer = await Client.SendAsync("GET", $"/v2/{Repository}/referrers/{subject}?artifactType={type}");
        var listed = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["manifests"]!.AsArray();

        Assert.Equal("artifactType", Header(answer, "OCI-Filters-Applied"));
        Assert.Equal("application/vnd.example.sbom+json", (string)Assert.Single(listed)!["artifactType"]!);
    }

    [Fact]
    public async Task A_referrer_may_come_before_its_subject_and_leaves_the_list_when_it_is_deleted()
    {
        var subject = RegistryClient.DigestOf(RegistryClient.RandomBytes(10));
        await Client.PushBlobAsync(Repository, Empty);
        var artifact = Manifests.Image(Empty, [], Manifests.Descriptor(subject, 10, MediaTypes.OciManifest));
        using var push = await Client.PushManifestAsync(Repository, "sha256-fallback", artifact);

        Assert.Single(await ListAsync(subject));
        using var delete = await Client.SendAsync("DELETE", $"/v2/{Repository}/manifests/{RegistryClient.DigestOf(artifact)}");
        Assert.Empty(await ListAsync(subject));
    }

    [Fact]
    public async Task Manifests_under_the_fallback_tag_are_listed_once()
    {
        var subject = RegistryClient.DigestOf(RegistryClient.RandomBytes(10));
        await Client.PushBlobAsync(Repository, Empty);
        var artifact = Manifests.Image(Empty, [], Manifests.Descriptor(subject, 10, MediaTypes.OciManifest));
        using var push = await Client.PushManifestAsync(Repository, RegistryClient.DigestOf(artifact).Value, artifact);
        using var fallback = await Client.PushManifestAsync(
            Repository,
            $"sha256-{subject.Encoded}",
            Manifests.Index([Manifests.Descriptor(artifact, MediaTypes.OciManifest)]),
            MediaTypes.OciIndex);

        Assert.Equal(HttpStatusCode.Created, fallback.StatusCode);
        Assert.Single(await ListAsync(subject));
    }

    [Fact]
    public async Task A_long_list_comes_in_pages_of_at_most_four_megabytes()
    {
        var subject = RegistryClient.DigestOf(RegistryClient.RandomBytes(10));
        await Client.PushBlobAsync(Repository, Empty);
        await Task.WhenAll(Enumerable.Range(0, 60).Select(async i =>
        {
            var annotations = new JsonObject { ["n"] = $"{i}", ["long"] = new string('x', 100_000) };
            var artifact = Manifests.Image(Empty, [], Manifests.Descriptor(subject, 10, MediaTypes.OciManifest), annotations: annotations);
            using var push = await Client.PushManifestAsync(Repository, RegistryClient.DigestOf(artifact).Value, artifact);
            Assert.Equal(HttpStatusCode.Created, push.StatusCode);
        }));

        var seen = new HashSet<string>();
        var pages = 0;
        for (var next = $"/v2/{Repository}/referrers/{subject}"; next.Length > 0; pages++)
        {
            using var answer = await Client.SendAsync("GET", next);
            var body = await answer.Content.ReadAsByteArrayAsync();
            Assert.True(body.Length <= 4 * 1024 * 1024);
            Assert.All(JsonNode.Parse(body)!["manifests"]!.AsArray(), entry => Assert.True(seen.Add((string)entry!["annotations"]!["n"]!)));
            var link = Header(answer, "Link");
            next = link.Length == 0 ? "" : link[1..link.IndexOf('>', StringComparison.Ordinal)];
        }

        Assert.Equal(60, seen.Count);
        Assert.Equal(2, pages);
    }

    private static (string? ArtifactType, int Size, string? Annotations) Entry(List<JsonNode> listed, byte[] manifest)
    {
        var entry = listed.Single(item => (string)item["digest"]! == RegistryClient.DigestOf(manifest).Value);
        return ((string?)entry["artifactType"], (int)entry["size"]!, entry["annotations"]?.ToJsonString());
    }

    private async Task<List<JsonNode>> ListAsync(Digest subject) =>
        [.. (await Client.GetJsonAsync($"/v2/{Repository}/referrers/{subject}"))["manifests"]!.AsArray().Select(item => item!)];
}
