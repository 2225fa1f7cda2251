using System.Globalization;
using Xunit.Abstractions;

namespace Granary.Crash.Tests;

/// <summary>
/// The test kills the real program at random moments while clients push and delete, and while garbage is collected. Afterwards every
/// acknowledged write is there, byte for byte, and everything that was deleted is reclaimed. <c>CRASH_ROUNDS</c> sets the number of
/// kills, for a long run.
/// </summary>
public sealed class CollectionKillTests(ITestOutputHelper output) : IDisposable
{
    private const int Clients = 6;
    private const int WritesOfARound = 10;

    // Grace periods short enough that blobs are collected while clients push them.
    private static readonly string[] Settings =
    [
        "--log.access", "false", "--collection.interval", "1s",
        "--lifetimes.linkGrace", "2s", "--lifetimes.blobGrace", "1s", "--lifetimes.firstLease", "1s",
    ];

    private readonly TemporaryDirectory _directory = new();

    private static int Crashes { get; } =
        int.TryParse(Environment.GetEnvironmentVariable("CRASH_ROUNDS"), NumberStyles.None, CultureInfo.InvariantCulture, out var count)
            ? count
            : 6;

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Kills_during_collections_lose_no_acknowledged_write_and_keep_no_garbage()
    {
        var images = new Images();
        var (random, checkedWrites) = (new Random(1), 0L);
        for (var crash = 0; crash < Crashes; crash++)
        {
            await using (var granary = await GranaryProcess.StartAsync(_directory.Path, Settings))
            {
                using var client = granary.CreateClient();
                var clients = Enumerable.Range(0, Clients)
                    .Select(number => new ImageClient(client, images, (crash * 100) + number).RunAsync())
                    .ToList();
                clients.Add(CollectAsync(client));
                await RunForAWhileAsync(random, images, clients);
                await granary.KillAsync();
                await Task.WhenAll(clients);
                Assert.DoesNotContain(" error ", granary.Output, StringComparison.Ordinal);
            }

            await using (var granary = await GranaryProcess.StartAsync(_directory.Path, Settings))
            {
                using var client = granary.CreateClient();
                checkedWrites += await images.CheckAsync(client);
            }
        }

        var (objects, garbage) = await CollectEverythingAsync(images);
        output.WriteLine(
            $"{Crashes} crashes, {images.Acknowledged} acknowledged pushes and deletions, {checkedWrites} images checked byte for byte, " +
            $"0 lost; {garbage.Count} of {objects} objects not reclaimed");
        Assert.True(garbage.Count == 0, $"Not reclaimed: {string.Join(Environment.NewLine, garbage)}");
    }

    /// <summary>
    /// Waits for a random time, and then until enough writes are acknowledged. Without the second part a slow machine would be killed
    /// before it has written anything.
    /// </summary>
    private static async Task RunForAWhileAsync(Random random, Images images, List<Task> clients)
    {
        var enough = images.Acknowledged + WritesOfARound;
        using (var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(random.Next(500, 3000))))
        {
            await timer.WaitForNextTickAsync();
        }

        using var poll = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (images.Acknowledged < enough && !clients.Exists(client => client.IsCompleted))
        {
            await poll.WaitForNextTickAsync();
        }
    }

    /// <summary>Advances the clock by days, and collects. Every object that a manifest needs must be there.</summary>
    /// <returns>The number of objects, and the objects that no manifest needs, each with the registry's explanation.</returns>
    private async Task<(int Objects, List<string> Garbage)> CollectEverythingAsync(Images images)
    {
        var time = new ShiftedTime();
        await using var registry = await TestRegistry.StartAsync(new Dictionary<string, string> { ["data"] = _directory.Path }, time);
        for (var day = 0; day < 4; day++)
        {
            time.Advance(TimeSpan.FromHours(30));
            await RunAsync(registry.Client, """{"kind":"collection"}""");
        }

        // A killed server leaves files that it had begun to write and that no session knows. Only a scrub finds them.
        await RunAsync(registry.Client, """{"kind":"scrub","bytesPerSecond":1000000000}""");
        await images.CheckAsync(registry.Client);

        var needed = await Images.NeededAsync(registry.Client);
        var (objects, garbage) = (0, new List<string>());
        foreach (var file in ((string[])["blobs", "uploads"])
            .SelectMany(directory => Directory.EnumerateFiles(Path.Combine(_directory.Path, directory), "*", SearchOption.AllDirectories)))
        {
            objects++;
            var digest = $"sha256:{Path.GetFileNameWithoutExtension(file)}";
            if (!needed.Remove(digest))
            {
                garbage.Add($"{file}: {await Images.ExplainAsync(registry.Client, digest)}");
            }
        }

        Assert.Empty(needed);
        return (objects, garbage);
    }

    private static async Task CollectAsync(RegistryClient client)
    {
        try
        {
            while (true)
            {
                await RunAsync(client, """{"kind":"collection","grace":"1s"}""");
            }
        }
        catch (HttpRequestException)
        {
            // The server was killed.
        }
    }

    /// <summary>Starts an operation and waits until it is over.</summary>
    private static async Task RunAsync(RegistryClient client, string request)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        string? path;
        while ((path = await StartAsync(client, request)) is null)
        {
            await timer.WaitForNextTickAsync();
        }

        while (!(await client.GetJsonAsync(path))["isOver"]!.GetValue<bool>())
        {
            await timer.WaitForNextTickAsync();
        }
    }

    /// <summary>
    /// Starts an operation, and returns the path of its progress. Returns null if the operation that was running when the last server
    /// was killed still goes on: it has passed a part of the registry already, so its end would prove nothing.
    /// </summary>
    private static async Task<string?> StartAsync(RegistryClient client, string request)
    {
        using var body = new StringContent(request, System.Text.Encoding.UTF8, "application/json");
        using var started = await client.SendAsync("POST", "/granary/v1/operations", body);
        if (started.StatusCode == HttpStatusCode.Accepted)
        {
            return started.Headers.Location!.ToString();
        }

        Assert.Equal(HttpStatusCode.Conflict, started.StatusCode);
        return null;
    }
}
