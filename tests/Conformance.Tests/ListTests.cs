using System.Text.Json.Nodes;

namespace Granary.Conformance.Tests;

public sealed class ListTests(RegistryFixture fixture) : RegistryTest(fixture)
{
    [Fact]
    public async Task Tags_of_an_unknown_repository_are_404()
    {
        using var answer = await Client.SendAsync("GET", $"/v2/{Repository}/tags/list");

        await AssertErrorAsync(answer, 404, "NAME_UNKNOWN");
    }

    [Fact]
    public async Task A_repository_without_tags_has_an_empty_list()
    {
        await Client.PushBlobAsync(Repository, [1]);

        Assert.Equal("[]", (await Client.GetJsonAsync($"/v2/{Repository}/tags/list"))["tags"]!.ToJsonString());
    }

    [Fact]
    public async Task Tags_are_listed_in_ordinal_order_and_by_pages()
    {
        string[] tags = ["A", "Z", "_x", "a", "b-c", "b.c", "b_c", "z", "10", "9"];
        var (_, manifest) = await Client.PushImageAsync(Repository, tags[0]);
        foreach (var tag in tags[1..])
        {
            using var push = await Client.PushManifestAsync(Repository, tag, manifest);
        }

        var expected = tags.Order(StringComparer.Ordinal).ToArray();
        Assert.Equal(expected, (await Client.GetJsonAsync($"/v2/{Repository}/tags/list"))["tags"]!.AsArray().Select(tag => (string)tag!));
        Assert.Equal(expected, await WalkAsync($"/v2/{Repository}/tags/list?n=3", "tags", pages: 4));
        var afterY = await Client.GetJsonAsync($"/v2/{Repository}/tags/list?last=y");
        Assert.Equal(["z"], afterY["tags"]!.AsArray().Select(tag => (string)tag!));
    }

    [Fact]
    public async Task A_page_of_zero_entries_is_empty_and_has_no_link()
    {
        await Client.PushImageAsync(Repository, "v1");

        using var answer = await Client.SendAsync("GET", $"/v2/{Repository}/tags/list?n=0");

        Assert.Equal("[]", JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["tags"]!.ToJsonString());
        Assert.Empty(Header(answer, "Link"));
    }

    [Theory]
    [InlineData("-1")]
    [InlineData("x")]
    [InlineData("")]
    [InlineData("1.5")]
    public async Task A_bad_n_is_400(string n)
    {
        await Client.PushImageAsync(Repository, "v1");

        using var tags = await Client.SendAsync("GET", $"/v2/{Repository}/tags/list?n={n}");
        using var catalog = await Client.SendAsync("GET", $"/v2/_catalog?n={n}");

        await AssertErrorAsync(tags, 400, "UNSUPPORTED");
        await AssertErrorAsync(catalog, 400, "UNSUPPORTED");
    }

    [Fact]
    public async Task A_huge_n_and_a_strange_last_are_answered()
    {
        await Client.PushImageAsync(Repository, "v1");

        using var huge = await Client.SendAsync("GET", $"/v2/{Repository}/tags/list?n=99999999999999999999");
        using var strange = await Client.SendAsync("GET", $"/v2/{Repository}/tags/list?last=%00{new string('x', 5000)}");

        Assert.Equal(HttpStatusCode.OK, huge.StatusCode);
        Assert.Equal(HttpStatusCode.OK, strange.StatusCode);
    }

    [Fact]
    public async Task The_catalog_lists_repositories_in_ordinal_order_and_by_pages()
    {
        string[] names = ["b-c", "b.c", "b/c", "b_c"];
        foreach (var name in names)
        {
            await Client.PushBlobAsync($"{Repository}/{name}", [1]);
        }

        var all = await WalkAsync("/v2/_catalog?n=2", "repositories", pages: null);
        Assert.Equal(
            names.Select(name => $"{Repository}/{name}"),
            all.Where(name => name.StartsWith(Repository + "/", StringComparison.Ordinal)));
        Assert.Equal(all.Order(StringComparer.Ordinal), all);
    }

    [Theory]
    [InlineData("")]
    [InlineData("name/")]
    public async Task Extensions_are_discovered(string prefix)
    {
        var found = (await Client.GetJsonAsync($"/v2/{prefix}_oci/ext/discover"))["extensions"]!.AsArray();

        Assert.Contains("_oci", found.Select(extension => (string)extension!["name"]!));
        Assert.All(found, extension =>
        {
            Assert.NotEmpty((string)extension!["url"]!);
            Assert.NotEmpty(extension["endpoints"]!.AsArray());
        });
    }

    private async Task<List<string>> WalkAsync(string path, string field, int? pages)
    {
        var all = new List<string>();
        var count = 0;
        for (string? next = path; next is not null; count++)
        {
            using var answer = await Client.SendAsync("GET", next);
            all.AddRange(JsonNode.Parse(await answer.Content.ReadAsStringAsync())![field]!.AsArray().Select(item => (string)item!));
            var link = Header(answer, "Link");
            Assert.True(link.Length == 0 || link.EndsWith("; rel=\"next\"", StringComparison.Ordinal));
            next = link.Length == 0 ? null : link[1..link.IndexOf('>', StringComparison.Ordinal)];
        }

        Assert.True(pages is null || count == pages, $"{count} pages");
        return all;
    }
}
