namespace Granary.Crash.Tests;

/// <summary>A client that pushes images, which share layers with other images, and deletes some, until the server is killed.</summary>
internal sealed class ImageClient(RegistryClient client, Images images, int seed)
{
    private const int Layers = 12;

    private readonly Random _random = new(seed);

    public async Task RunAsync()
    {
        try
        {
            for (var i = 0; ; i++)
            {
                if (_random.Next(3) == 0)
                {
                    await DeleteAsync();
                }
                else
                {
                    await PushAsync($"kill/app{_random.Next(3)}", $"t{seed}-{i}");
                }
            }
        }
        catch (HttpRequestException)
        {
            // The server was killed.
        }
    }

    private async Task PushAsync(string repository, string tag)
    {
        // One layer that many images share, one of this image alone, and one that is small enough to be a row.
        byte[][] layers =
        [
            Layer(_random.Next(Layers)),
            RegistryClient.RandomBytes(_random.Next(40_000, 120_000)),
            RegistryClient.RandomBytes(_random.Next(1, 500)),
        ];
        var config = RegistryClient.RandomBytes(60);
        var manifest = Manifests.Image(config, layers);
        for (var attempt = 0; attempt < 20; attempt++)
        {
            foreach (var blob in (byte[][])[config, .. layers])
            {
                await PushBlobAsync(repository, blob);
            }

            using var answer = await client.PushManifestAsync(repository, tag, manifest);
            if (answer.StatusCode == HttpStatusCode.Created)
            {
                images.RecordPush(repository, manifest, [config, .. layers]);
                return;
            }

            // The push took longer than the short grace period of this test, so a layer was collected. Push it again.
            Assert.Equal(["MANIFEST_BLOB_UNKNOWN"], (await RegistryClient.ErrorCodesAsync(answer)).Distinct());
        }

        Assert.Fail("The grace periods of this test are too short for this machine.");
    }

    private async Task PushBlobAsync(string repository, byte[] content)
    {
        var digest = RegistryClient.DigestOf(content);
        using (var head = await client.SendAsync("HEAD", $"/v2/{repository}/blobs/{digest}"))
        {
            if (head.StatusCode == HttpStatusCode.OK)
            {
                return;
            }
        }

        using var answer = await client.SendAsync("POST", $"/v2/{repository}/blobs/uploads/?digest={digest}", content);
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
    }

    private async Task DeleteAsync()
    {
        if (images.Take(_random) is not var (repository, manifest))
        {
            return;
        }

        using var answer = await client.SendAsync("DELETE", $"/v2/{repository}/manifests/{manifest}");
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        images.RecordDeletion(repository, manifest);
    }

    private static byte[] Layer(int number)
    {
        var bytes = new byte[60_000 + number];
        new Random(number).NextBytes(bytes);
        return bytes;
    }
}
