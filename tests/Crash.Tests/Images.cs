using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Nodes;

namespace Granary.Crash.Tests;

/// <summary>The images whose push or deletion the registry has acknowledged.</summary>
internal sealed class Images
{
    private readonly ConcurrentDictionary<(string Repository, Digest Manifest), Image> _all = new();
    private long _acknowledged;

    public long Acknowledged => Interlocked.Read(ref _acknowledged);

    public void RecordPush(string repository, byte[] manifest, byte[][] blobs)
    {
        _all[(repository, RegistryClient.DigestOf(manifest))] = new Image(manifest, blobs, Exists: true);
        Interlocked.Increment(ref _acknowledged);
    }

    public void RecordDeletion(string repository, Digest manifest)
    {
        _all[(repository, manifest)] = new Image([], [], Exists: false);
        Interlocked.Increment(ref _acknowledged);
    }

    /// <summary>Takes a random image that exists, so that only one client deletes it. Returns null if there is none.</summary>
    public (string Repository, Digest Manifest)? Take(Random random)
    {
        var candidates = _all.Where(pair => pair.Value.Exists).Select(pair => pair.Key).ToArray();
        if (candidates.Length == 0)
        {
            return null;
        }

        var chosen = candidates[random.Next(candidates.Length)];
        return _all.TryRemove(chosen, out _) ? chosen : null;
    }

    /// <summary>Pulls every image and compares it byte for byte.</summary>
    /// <returns>The number of images.</returns>
    public async Task<int> CheckAsync(RegistryClient client)
    {
        foreach (var ((repository, digest), image) in _all)
        {
            if (!image.Exists)
            {
                using var gone = await client.SendAsync("HEAD", $"/v2/{repository}/manifests/{digest}");
                Assert.Equal(HttpStatusCode.NotFound, gone.StatusCode);
                continue;
            }

            Assert.Equal(image.Manifest, await client.GetBytesAsync($"/v2/{repository}/manifests/{digest}"));
            foreach (var blob in image.Blobs)
            {
                Assert.Equal(blob, await client.GetBytesAsync($"/v2/{repository}/blobs/{RegistryClient.DigestOf(blob)}"));
            }
        }

        return _all.Count;
    }

    /// <summary>
    /// Returns the digests of the objects that tagged manifests name. Images whose push or deletion had no answer may be among them.
    /// </summary>
    public static async Task<HashSet<string>> NeededAsync(RegistryClient client)
    {
        var needed = new HashSet<string>(StringComparer.Ordinal);
        foreach (var repository in await RepositoriesAsync(client))
        {
            var tags = (await client.GetJsonAsync($"/v2/{repository}/tags/list"))["tags"]!.AsArray();
            foreach (var tag in tags.Select(tag => tag!.GetValue<string>()))
            {
                var manifest = await client.GetJsonAsync($"/v2/{repository}/manifests/{tag}");

                // Smaller blobs are rows and not objects.
                JsonNode[] descriptors = [.. manifest["layers"]!.AsArray().Select(layer => layer!), manifest["config"]!];
                needed.UnionWith(descriptors
                    .Where(descriptor => descriptor["size"]!.GetValue<long>() > 32 * 1024)
                    .Select(descriptor => descriptor["digest"]!.GetValue<string>()));
            }
        }

        return needed;
    }

    /// <summary>Returns what the registry says about a blob, in all repositories.</summary>
    public static async Task<string> ExplainAsync(RegistryClient client, string digest)
    {
        var explanations = new StringBuilder();
        foreach (var repository in await RepositoriesAsync(client))
        {
            using var answer = await client.SendAsync("GET", $"/granary/v1/explain?repository={repository}&digest={digest}");
            explanations.AppendLine(await answer.Content.ReadAsStringAsync());
        }

        return explanations.ToString();
    }

    private static async Task<string[]> RepositoriesAsync(RegistryClient client) =>
        [.. (await client.GetJsonAsync("/v2/_catalog"))["repositories"]!.AsArray().Select(name => name!.GetValue<string>())];

    private sealed record Image(byte[] Manifest, byte[][] Blobs, bool Exists);
}
