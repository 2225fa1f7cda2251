using System.Collections.Concurrent;
using System.Text.Json.Nodes;

namespace Granary.Crash.Tests;

/// <summary>Images as a registry has said that it has them, or has removed them.</summary>
internal sealed class Images
{
    private readonly ConcurrentDictionary<(string Repository, Digest Manifest), Image> _all = new();
    private long _acknowledged;

    public long Acknowledged => Interlocked.Read(ref _acknowledged);

    public void Pushed(string repository, byte[] manifest, byte[][] blobs)
    {
        _all[(repository, RegistryClient.DigestOf(manifest))] = new Image(manifest, blobs, IsHere: true);
        Interlocked.Increment(ref _acknowledged);
    }

    public void Deleted(string repository, Digest manifest)
    {
        _all[(repository, manifest)] = new Image([], [], IsHere: false);
        Interlocked.Increment(ref _acknowledged);
    }

    /// <summary>One that is there, for a client that wants to delete it: no other client gets it.</summary>
    public (string Repository, Digest Manifest)? Take(Random random)
    {
        var candidates = _all.Where(pair => pair.Value.IsHere).Select(pair => pair.Key).ToArray();
        if (candidates.Length == 0)
        {
            return null;
        }

        var chosen = candidates[random.Next(candidates.Length)];
        return _all.TryRemove(chosen, out _) ? chosen : null;
    }

    /// <summary>Reads everything back.</summary>
    /// <returns>How many images that was.</returns>
    public async Task<int> CheckAsync(RegistryClient client)
    {
        foreach (var ((repository, digest), image) in _all)
        {
            if (!image.IsHere)
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

    /// <summary>The bytes of the objects that manifests which are there name, each once. Images whose push or deletion had no answer may be among them.</summary>
    public static async Task<long> NeededAsync(RegistryClient client)
    {
        var sizes = new Dictionary<string, long>(StringComparer.Ordinal);
        foreach (var repository in (await client.GetJsonAsync("/v2/_catalog"))["repositories"]!.AsArray().Select(name => name!.GetValue<string>()))
        {
            foreach (var tag in (await client.GetJsonAsync($"/v2/{repository}/tags/list"))["tags"]!.AsArray().Select(tag => tag!.GetValue<string>()))
            {
                var manifest = await client.GetJsonAsync($"/v2/{repository}/manifests/{tag}");
                foreach (var descriptor in (JsonNode[])[.. manifest["layers"]!.AsArray().Select(layer => layer!), manifest["config"]!])
                {
                    // Smaller ones are rows.
                    if (descriptor["size"]!.GetValue<long>() is > 32 * 1024 and var size)
                    {
                        sizes[descriptor["digest"]!.GetValue<string>()] = size;
                    }
                }
            }
        }

        return sizes.Values.Sum();
    }

    private sealed record Image(byte[] Manifest, byte[][] Blobs, bool IsHere);
}
