using System.Text;

namespace Granary.Maintenance.Tests;

/// <summary>Requests of tests to the administration's API.</summary>
internal static class Admin
{
    public const string Operations = "/granary/v1/operations";

    /// <summary>Starts an operation and waits for its end.</summary>
    public static async Task<JsonNode> RunAsync(this RegistryClient client, string request) =>
        await client.WaitAsync((await client.StartAsync(request))["id"]!.GetValue<string>());

    public static async Task<JsonNode> StartAsync(this RegistryClient client, string request)
    {
        using var answer = await client.PostAsync(request);
        var body = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == HttpStatusCode.Accepted, body);
        return JsonNode.Parse(body)!;
    }

    public static Task<HttpResponseMessage> PostAsync(
        this RegistryClient client,
        string request,
        params (string Name, string Value)[] headers) =>
        client.SendAsync("POST", Operations, new StringContent(request, Encoding.UTF8, "application/json"), headers);

    /// <summary>Waits until an operation has ended.</summary>
    public static Task<JsonNode> WaitAsync(this RegistryClient client, string id) =>
        client.WaitAsync(id, operation => operation["isOver"]!.GetValue<bool>());

    public static async Task<JsonNode> WaitAsync(this RegistryClient client, string id, Func<JsonNode, bool> until)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        for (var i = 0; i < 3000; i++)
        {
            var operation = await client.GetJsonAsync($"{Operations}/{id}");
            if (until(operation))
            {
                return operation;
            }

            await timer.WaitForNextTickAsync();
        }

        throw new TimeoutException($"Operation {id} did not reach the expected state.");
    }

    public static string State(this JsonNode operation) => operation["state"]!.GetValue<string>();

    public static long Count(this JsonNode operation, string name) => operation["progress"]!["counts"]![name]?.GetValue<long>() ?? 0;

    public static string[] Findings(this JsonNode operation) =>
        [.. operation["progress"]!["findings"]!.AsArray().Select(finding => finding!.GetValue<string>())];

    /// <summary>Returns the files of sealed objects.</summary>
    public static string[] Objects(string data) =>
        [.. Directory.GetFiles(Path.Combine(data, "blobs"), "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal)];

    public static string ObjectOf(string data, Digest digest) => Assert.Single(
        Objects(data),
        file => Path.GetFileName(file).StartsWith(digest.Encoded.ToString(), StringComparison.Ordinal));

    public static async Task<HttpStatusCode> HeadAsync(this RegistryClient client, string path)
    {
        using var answer = await client.SendAsync("HEAD", path);
        return answer.StatusCode;
    }

    public static async Task DeleteAsync(this RegistryClient client, string path)
    {
        using var answer = await client.SendAsync("DELETE", path);
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
    }

    /// <summary>Pushes an image whose layer is an object. Returns the digests of the manifest and of the layer.</summary>
    public static async Task<(Digest Manifest, Digest Layer, byte[] Content)> PushLargeAsync(
        this RegistryClient client,
        string repository,
        string tag,
        byte[]? layer = null)
    {
        var config = RegistryClient.RandomBytes(50);
        layer ??= RegistryClient.RandomBytes(100_000);
        await client.PushBlobAsync(repository, config);
        var digest = RegistryClient.DigestOf(layer);

        // As clients do: a blob that the registry has is mounted, and not uploaded again.
        using (var mount = await client.SendAsync("POST", $"/v2/{repository}/blobs/uploads/?mount={digest}"))
        {
            if (mount.StatusCode != HttpStatusCode.Created)
            {
                await client.PushBlobAsync(repository, layer);
            }
        }

        var manifest = Manifests.Image(config, [layer]);
        using var answer = await client.PushManifestAsync(repository, tag, manifest);
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        return (RegistryClient.DigestOf(manifest), digest, layer);
    }
}
