using System.Text;

namespace Granary.Maintenance.Tests;

/// <summary>Requests of tests for the history of a tag and for undo.</summary>
internal static class History
{
    private const string Repositories = "/granary/v1/repositories";

    public static string PathOf(string repository, string tag, string query = "") =>
        $"{Repositories}/{repository}/-/history?tag={tag}{query}";

    public static string UndoPathOf(string repository, string tag) => $"{Repositories}/{repository}/-/tags/{tag}/undo";

    public static Task<JsonNode> HistoryAsync(this RegistryClient client, string repository, string tag, string query = "") =>
        client.GetJsonAsync(PathOf(repository, tag, query));

    /// <summary>Returns the lines of a tag's history, the newest first.</summary>
    public static async Task<JsonNode[]> LinesAsync(this RegistryClient client, string repository, string tag) =>
        [.. (await client.HistoryAsync(repository, tag))["lines"]!.AsArray().Select(line => line!)];

    public static Task<HttpResponseMessage> SendUndoAsync(
        this RegistryClient client,
        string repository,
        string tag,
        string? to = null,
        params (string Name, string Value)[] headers)
    {
        var body = to is null ? null : new StringContent($$"""{"to":"{{to}}"}""", Encoding.UTF8, "application/json");
        return client.SendAsync("POST", UndoPathOf(repository, tag), body, headers);
    }

    public static async Task<JsonNode> UndoAsync(this RegistryClient client, string repository, string tag, string? to = null)
    {
        using var answer = await client.SendUndoAsync(repository, tag, to);
        var body = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == HttpStatusCode.OK, body);
        return JsonNode.Parse(body)!;
    }

    /// <summary>Reads the only error of an answer.</summary>
    public static async Task<(string Code, string Message, JsonNode? Detail)> ErrorAsync(HttpResponseMessage answer)
    {
        var errors = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["errors"]!.AsArray();
        var error = Assert.Single(errors)!;
        return (error.Text("code")!, error.Text("message")!, error["detail"]);
    }

    public static string? Text(this JsonNode node, string name) => node[name]?.GetValue<string>();

    /// <summary>Returns the digest that a tag points at; null if there is no such tag.</summary>
    public static async Task<string?> DigestOfAsync(this RegistryClient client, string repository, string tag)
    {
        using var answer = await client.SendAsync("HEAD", $"/v2/{repository}/manifests/{tag}");
        return answer.StatusCode == HttpStatusCode.OK ? answer.Headers.GetValues("Docker-Content-Digest").Single() : null;
    }

    /// <summary>Points a tag at a manifest that is there, as clients do: they push it again.</summary>
    public static async Task TagAsync(this RegistryClient client, string repository, string tag, byte[] manifest)
    {
        using var answer = await client.PushManifestAsync(repository, tag, manifest);
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
    }
}
