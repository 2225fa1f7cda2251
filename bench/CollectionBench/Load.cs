using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;

namespace Granary.CollectionBench;

/// <summary>Fills a registry, makes garbage, and measures the latency of clients.</summary>
internal static class Load
{
    private const string ManifestType = "application/vnd.oci.image.manifest.v1+json";
    private const int BlobsOfAnImage = 10;
    private const int Repositories = 10;

    // Just larger than the contents that a registry stores in a row.
    private const int BlobSize = 33_000;

    private static readonly byte[] Noise = RandomNumberGenerator.GetBytes(BlobSize);

    /// <summary>Pushes blobs, ten to an image.</summary>
    /// <returns>The paths of the manifests whose deletion makes the garbage.</returns>
    public static async Task<string[]> FillAsync(Server server, int blobs, int garbage)
    {
        var manifests = new ConcurrentQueue<string>();
        var options = new ParallelOptions { MaxDegreeOfParallelism = 16 };
        await Parallel.ForEachAsync(Enumerable.Range(0, blobs / BlobsOfAnImage), options, async (image, _) =>
        {
            var repository = $"bench/app{image % Repositories}";
            var digests = new List<string>();
            for (var i = 0; i < BlobsOfAnImage; i++)
            {
                digests.Add(await PushBlobAsync(server, repository));
            }

            manifests.Enqueue(await PutManifestAsync(server, repository, digests, BlobSize, $"t{Guid.NewGuid():N}"));
        });
        return [.. manifests.Take(garbage / BlobsOfAnImage)];
    }

    public static async Task DeleteAsync(Server server, string[] manifests)
    {
        foreach (var manifest in manifests)
        {
            using var answer = await server.Client.DeleteAsync(new Uri(manifest, UriKind.Relative));
            Expect(answer, HttpStatusCode.Accepted);
        }
    }

    /// <summary>Runs a collection by HTTP, because the command would take CPU time from the server.</summary>
    public static async Task CollectAsync(Server server)
    {
        var token = await File.ReadAllTextAsync(Path.Combine(server.Data, "admin.token"));
        server.Client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", token.Trim());
        using var body = new StringContent("""{"kind":"collection","grace":"0s"}""", Encoding.UTF8, "application/json");
        using var start = await server.Client.PostAsync(new Uri("/granary/v1/operations", UriKind.Relative), body);
        Expect(start, HttpStatusCode.Accepted);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(100));
        while (!(await server.Client.GetStringAsync(start.Headers.Location)).Contains("\"isOver\":true", StringComparison.Ordinal))
        {
            await timer.WaitForNextTickAsync();
        }
    }

    /// <summary>Pushes and pulls manifests with four clients until a task has ended.</summary>
    public static async Task<Latencies> MeasureAsync(Server server, Task until)
    {
        var config = await PushBlobAsync(server, "bench/busy");
        var (pushes, pulls) = (new ConcurrentBag<double>(), new ConcurrentBag<double>());
        await Task.WhenAll(Enumerable.Range(0, 4).Select(number => Task.Run(async () =>
        {
            while (!until.IsCompleted)
            {
                var start = Stopwatch.GetTimestamp();
                var path = await PutManifestAsync(server, "bench/busy", [config], BlobSize, $"busy{number}");
                pushes.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
                start = Stopwatch.GetTimestamp();
                using var answer = await server.Client.GetAsync(new Uri(path, UriKind.Relative));
                Expect(answer, HttpStatusCode.OK);
                pulls.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            }
        })));
        await until;
        return new Latencies([.. pushes.Order()], [.. pulls.Order()]);
    }

    private static async Task<string> PushBlobAsync(Server server, string repository)
    {
        var content = Noise.ToArray();
        Guid.NewGuid().TryWriteBytes(content);
        var digest = DigestOf(content);
        using var start = await server.Client.PostAsync(new Uri($"/v2/{repository}/blobs/uploads/", UriKind.Relative), content: null);
        Expect(start, HttpStatusCode.Accepted);
        var location = start.Headers.Location!.ToString();
        using var body = new ByteArrayContent(content);
        body.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        var query = location.Contains('?', StringComparison.Ordinal) ? '&' : '?';
        using var put = await server.Client.PutAsync(new Uri($"{location}{query}digest={digest}", UriKind.RelativeOrAbsolute), body);
        Expect(put, HttpStatusCode.Created);
        return digest;
    }

    private static async Task<string> PutManifestAsync(Server server, string repository, List<string> blobs, int size, string tag)
    {
        string Descriptor(string digest, string type) =>
            $$"""{"mediaType":"{{type}}","digest":"{{digest}}","size":{{size}} }""";
        var layers = string.Join(',', blobs.Skip(1).Select(digest => Descriptor(digest, "application/vnd.oci.image.layer.v1.tar")));
        var image = Descriptor(blobs[0], "application/vnd.oci.image.config.v1+json");
        var manifest = Encoding.UTF8.GetBytes(
            $$"""
            {"schemaVersion":2,"mediaType":"{{ManifestType}}","config":{{image}},
            "layers":[{{layers}}],"annotations":{"n":"{{Guid.NewGuid()}}" } }
            """);
        using var body = new ByteArrayContent(manifest);
        body.Headers.ContentType = new MediaTypeHeaderValue(ManifestType);
        using var put = await server.Client.PutAsync(new Uri($"/v2/{repository}/manifests/{tag}", UriKind.Relative), body);
        Expect(put, HttpStatusCode.Created);
        return $"/v2/{repository}/manifests/{DigestOf(manifest)}";
    }

    private static string DigestOf(byte[] content) => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(content));

    private static void Expect(HttpResponseMessage answer, HttpStatusCode status)
    {
        if (answer.StatusCode != status)
        {
            var request = answer.RequestMessage!;
            throw new InvalidOperationException(
                $"{request.Method} {request.RequestUri} got {(int)answer.StatusCode}, not {(int)status}. See the log of the server.");
        }
    }
}

/// <summary>The durations of requests, in milliseconds, sorted.</summary>
internal sealed record Latencies(double[] Pushes, double[] Pulls)
{
    public override string ToString() =>
        $"{At(Pushes, 0.5),9:0.00} {At(Pushes, 0.99),9:0.00} {At(Pulls, 0.5),9:0.00} {At(Pulls, 0.99),9:0.00} "
        + $"{Pushes.Length + Pulls.Length,9}";

    private static double At(double[] sorted, double part) => sorted[(int)((sorted.Length - 1) * part)];
}
