namespace Granary.Crash.Tests;

/// <summary>The test kills the real program in the middle of pushes. Every acknowledged write is there afterwards, byte for byte.</summary>
public sealed class KillTests : IDisposable
{
    private const int Rounds = 6;
    private const int Pushers = 8;

    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Every_acknowledged_write_survives_kill_9()
    {
        var acknowledged = new Acknowledged();
        for (var round = 0; round < Rounds; round++)
        {
            await PushUntilKilledAsync(acknowledged, round);
            await CheckAsync(acknowledged);
        }

        Assert.True(
            acknowledged.Blobs.Count > 100,
            $"Only {acknowledged.Blobs.Count} blobs were acknowledged. That is too few to prove anything.");
    }

    private async Task PushUntilKilledAsync(Acknowledged acknowledged, int round)
    {
        await using var granary = await GranaryProcess.StartAsync(_directory.Path, "--log.access", "false");
        using var client = granary.CreateClient();
        var until = acknowledged.Count + 200 + (37 * round);
        var pushers = Enumerable.Range(0, Pushers).Select(number => new Pusher(client, acknowledged, number, round).RunAsync()).ToArray();
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(1));
        while (acknowledged.Count < until && !pushers.Any(pusher => pusher.IsCompleted))
        {
            await timer.WaitForNextTickAsync();
        }

        await granary.KillAsync();
        await Task.WhenAll(pushers);
        Assert.True(acknowledged.Count >= until, granary.Output);
    }

    private async Task CheckAsync(Acknowledged acknowledged)
    {
        await using var granary = await GranaryProcess.StartAsync(_directory.Path, "--log.access", "false");
        using var client = granary.CreateClient();
        foreach (var ((repository, digest), content) in acknowledged.Blobs)
        {
            Assert.Equal(content, await client.GetBytesAsync($"/v2/{repository}/blobs/{digest}"));
        }

        foreach (var ((repository, reference), manifest) in acknowledged.Manifests)
        {
            Assert.Equal(manifest, await client.GetBytesAsync($"/v2/{repository}/manifests/{reference}"));
        }

        foreach (var ((repository, tag), _) in acknowledged.Untagged)
        {
            using var answer = await client.SendAsync("HEAD", $"/v2/{repository}/manifests/{tag}");
            Assert.Equal(HttpStatusCode.NotFound, answer.StatusCode);
        }

        foreach (var (location, (repository, content, received)) in acknowledged.Uploads)
        {
            await ResumeAsync(client, acknowledged, location, repository, content, received);
        }

        acknowledged.Uploads.Clear();
        Assert.DoesNotContain(" error ", granary.Output, StringComparison.Ordinal);
    }

    /// <summary>Resumes an upload. The server must have kept at least the bytes that it acknowledged.</summary>
    private static async Task ResumeAsync(
        RegistryClient client,
        Acknowledged acknowledged,
        string location,
        string repository,
        byte[] content,
        int received)
    {
        using var status = await client.SendAsync("GET", location);
        var offset = int.Parse(status.Headers.GetValues("Range").Single()["0-".Length..]) + 1;
        Assert.True(offset >= received, $"{offset} of {received} bytes are left.");

        var digest = RegistryClient.DigestOf(content);
        using var put = await client.SendAsync("PUT", $"{location}?digest={digest}", content[offset..]);
        Assert.Equal(HttpStatusCode.Created, put.StatusCode);
        acknowledged.Blobs[(repository, digest)] = content;
    }
}
