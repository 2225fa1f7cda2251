using System.Text.Json.Nodes;

namespace Granary.Crash.Tests;

/// <summary>A client that pushes images, blobs and parts of layers until the server is killed, and records what was acknowledged.</summary>
internal sealed class Pusher(RegistryClient client, Acknowledged acknowledged, int number, int round)
{
    private readonly Random _random = new((round * 1000) + number);

    /// <summary>Pushes until the server is killed.</summary>
    public async Task RunAsync()
    {
        try
        {
            for (var i = 0; ; i++)
            {
                var repository = $"crash/app{_random.Next(3)}";
                switch (_random.Next(4))
                {
                    case 0:
                        await PushImageAsync(repository, $"r{round}-p{number}-{i}");
                        break;

                    case 1:
                        await PushInPiecesAsync(repository);
                        break;

                    case 2:
                        await PushAndUntagAsync(repository, $"gone-r{round}-p{number}-{i}");
                        break;

                    default:
                        await PushBlobAsync(repository, Bytes(_random.Next(200_000)));
                        break;
                }
            }
        }
        catch (HttpRequestException)
        {
            // The server was killed.
        }
    }

    private async Task PushImageAsync(string repository, string tag)
    {
        byte[] config = Bytes(100), layer = Bytes(_random.Next(1, 100_000));
        await PushBlobAsync(repository, config);
        await PushBlobAsync(repository, layer);
        var annotations = new JsonObject { ["padding"] = new string('x', _random.Next(100_000)) };
        var manifest = Manifests.Image(config, [layer], annotations: annotations);
        using var answer = await client.PushManifestAsync(repository, tag, manifest);
        Expect(HttpStatusCode.Created, answer);
        acknowledged.Manifests[(repository, tag)] = manifest;
        acknowledged.Manifests[(repository, RegistryClient.DigestOf(manifest).Value)] = manifest;
    }

    private async Task PushAndUntagAsync(string repository, string tag)
    {
        await PushImageAsync(repository, tag);
        acknowledged.Manifests.TryRemove((repository, tag), out _);
        using var answer = await client.SendAsync("DELETE", $"/v2/{repository}/manifests/{tag}");
        Expect(HttpStatusCode.Accepted, answer);
        acknowledged.Untagged[(repository, tag)] = 1;
    }

    private async Task PushBlobAsync(string repository, byte[] content)
    {
        var digest = RegistryClient.DigestOf(content);
        using var answer = await client.SendAsync("POST", $"/v2/{repository}/blobs/uploads/?digest={digest}", content);
        Expect(HttpStatusCode.Created, answer);
        acknowledged.Blobs[(repository, digest)] = content;
    }

    private async Task PushInPiecesAsync(string repository)
    {
        var content = Bytes(300_000);
        var location = await client.StartUploadAsync(repository);
        for (var offset = 0; offset < content.Length; offset += 100_000)
        {
            using var answer = await client.SendAsync("PATCH", location, content[offset..(offset + 100_000)]);
            Expect(HttpStatusCode.Accepted, answer);
            acknowledged.Uploads[location] = (repository, content, offset + 100_000);
        }

        // Half of the uploads stay open, so that the test resumes them after the crash.
        if (_random.Next(2) == 0)
        {
            acknowledged.Uploads.TryRemove(location, out _);
            var digest = RegistryClient.DigestOf(content);
            using var answer = await client.SendAsync("PUT", $"{location}?digest={digest}", []);
            Expect(HttpStatusCode.Created, answer);
            acknowledged.Blobs[(repository, digest)] = content;
        }
    }

    private void Expect(HttpStatusCode status, HttpResponseMessage answer)
    {
        Assert.Equal(status, answer.StatusCode);
        acknowledged.CountOne();
    }

    private byte[] Bytes(int count)
    {
        var bytes = new byte[count];
        _random.NextBytes(bytes);
        return bytes;
    }
}
