using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Granary.Cluster.Tests;

/// <summary>
/// Load on a cluster. Each repository has one client that moves its tag from manifest to manifest, with ascending numbers, and one that
/// pulls it, through all their gateways in turn. If a gateway is gone, a client goes to the next one, as behind a proxy.
/// </summary>
internal sealed class PushesAndPulls : IDisposable
{
    private const string Tag = "latest";

    private static readonly byte[] Config = "{}"u8.ToArray();
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(250);

    private readonly string[] _repositories;
    private readonly List<RegistryClient> _pushing;
    private readonly List<RegistryClient> _pulling;
    private readonly CancellationTokenSource _end = new();
    private readonly List<Task> _running = [];
    private readonly Dictionary<string, Record> _records;

    /// <param name="pushes">The gateways of the pushes.</param>
    /// <param name="pulls">The gateways of the pulls.</param>
    /// <param name="repositories">How many repositories.</param>
    public PushesAndPulls(IEnumerable<GranaryProcess> pushes, IEnumerable<GranaryProcess> pulls, int repositories)
    {
        _repositories = [.. Enumerable.Range(0, repositories).Select(i => $"load/app{i}")];
        _records = _repositories.ToDictionary(name => name, _ => new Record(), StringComparer.Ordinal);
        _pushing = [.. pushes.Select(gateway => new RegistryClient(gateway.Address))];
        _pulling = [.. pulls.Select(gateway => new RegistryClient(gateway.Address))];
    }

    /// <summary>Requests that failed: what they asked, and how.</summary>
    public ConcurrentQueue<string> Failures { get; } = new();

    public int Acknowledged => _records.Values.Sum(record => record.Acknowledged.Count);

    public int Pulled => _records.Values.Sum(record => record.Pulls.Count);

    /// <summary>The longest time between two acknowledged pushes to one repository.</summary>
    public TimeSpan LongestSilence => _records.Values.Max(record => record.LongestSilence());

    /// <summary>
    /// How long before the begin of a pull, at most, a push was acknowledged that the pull should have seen and did not.
    /// </summary>
    public TimeSpan OldestAnswer => _records.Values.Max(record => record.OldestAnswer());

    /// <summary>Pushes what the manifests need, and begins.</summary>
    public async Task StartAsync()
    {
        foreach (var repository in _repositories)
        {
            await _pushing[0].PushBlobAsync(repository, Config);
        }

        foreach (var repository in _repositories)
        {
            _running.Add(Task.Run(() => PushAsync(repository)));
            _running.Add(Task.Run(() => PullAsync(repository)));
        }
    }

    /// <summary>Waits until each repository has that many more acknowledged pushes.</summary>
    public async Task WaitForPushesAsync(int count)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        var goals = _records.Values.Select(record => (record, Goal: record.Acknowledged.Count + count)).ToList();
        while (goals.Any(pair => pair.record.Acknowledged.Count < pair.Goal))
        {
            await Task.Delay(Pause, TimeProvider.System, timeout.Token);
        }
    }

    /// <summary>Ends, and returns which tags are not at the last acknowledged push or a later one, by any gateway of the pushes.</summary>
    public async Task<List<string>> FinishAsync()
    {
        await _end.CancelAsync();
        await Task.WhenAll(_running);
        var lost = new List<string>();
        foreach (var repository in _repositories)
        {
            var expected = _records[repository].Acknowledged.Last().Number;
            for (var turn = 0; turn < _pushing.Count; turn++)
            {
                using var answer = await AnyAsync(_pushing, turn, client => client.SendAsync("GET", $"/v2/{repository}/manifests/{Tag}"));
                var found = answer.StatusCode == HttpStatusCode.OK ? NumberOf(await answer.Content.ReadAsByteArrayAsync()) : -1;
                if (found < expected)
                {
                    lost.Add($"{repository} is at {found} ({answer.StatusCode}), and {expected} was acknowledged");
                }
            }
        }

        return lost;
    }

    public string Summarize() =>
        $"{Acknowledged} pushes acknowledged, {Pulled} pulls, {Failures.Count} failed; " +
        $"longest silence {LongestSilence.TotalSeconds:F1} s, oldest answer {OldestAnswer.TotalSeconds:F1} s" +
        string.Concat(Failures.Take(5).Select(failure => "\n  " + failure));

    public void Dispose()
    {
        _pushing.ForEach(client => client.Dispose());
        _pulling.ForEach(client => client.Dispose());
        _end.Dispose();
    }

    private async Task PushAsync(string repository)
    {
        for (var number = 1; !_end.IsCancellationRequested; number++)
        {
            var annotations = new JsonObject { ["number"] = $"{number}" };
            var manifest = Manifests.Image(Config, [], annotations: annotations);
            var turn = number;
            await TryAsync($"push {number} to {repository}", async () =>
            {
                using var answer = await AnyAsync(_pushing, turn, client => client.PushManifestAsync(repository, Tag, manifest));
                if (answer.StatusCode != HttpStatusCode.Created)
                {
                    return $"{(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}";
                }

                _records[repository].Acknowledged.Enqueue((Stopwatch.GetTimestamp(), number));
                return null;
            });
            await Task.Delay(Pause, TimeProvider.System);
        }
    }

    private async Task PullAsync(string repository)
    {
        for (var turn = 0; !_end.IsCancellationRequested; turn++)
        {
            var first = turn;
            var record = _records[repository];
            var isThere = !record.Acknowledged.IsEmpty;
            await TryAsync($"pull of {repository}", async () =>
            {
                var begin = Stopwatch.GetTimestamp();
                using var answer = await AnyAsync(_pulling, first, client => client.SendAsync("GET", $"/v2/{repository}/manifests/{Tag}"));
                if (answer.StatusCode == HttpStatusCode.OK)
                {
                    record.Pulls.Enqueue((begin, NumberOf(await answer.Content.ReadAsByteArrayAsync())));
                    return null;
                }

                return isThere || answer.StatusCode != HttpStatusCode.NotFound ? $"{(int)answer.StatusCode}" : null;
            });
            await Task.Delay(Pause, TimeProvider.System);
        }
    }

    /// <summary>Sends a request to one client, and if its gateway is gone, to the next.</summary>
    private static async Task<HttpResponseMessage> AnyAsync(
        List<RegistryClient> clients,
        int turn,
        Func<RegistryClient, Task<HttpResponseMessage>> send)
    {
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await send(clients[(turn + attempt) % clients.Count]);
            }
            catch (HttpRequestException) when (attempt < clients.Count)
            {
                // The next one.
            }
        }
    }

    private async Task TryAsync(string what, Func<Task<string?>> request)
    {
        var begin = Stopwatch.GetTimestamp();
        string? failure;
        try
        {
            failure = await request();
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException or IOException)
        {
            failure = e.Message;
        }

        if (failure is not null)
        {
            Failures.Enqueue($"{what}, after {Stopwatch.GetElapsedTime(begin).TotalSeconds:F1} s: {failure}");
        }
    }

    private static int NumberOf(byte[] manifest) => int.Parse(JsonNode.Parse(manifest)!["annotations"]!["number"]!.GetValue<string>());

    private sealed class Record
    {
        public ConcurrentQueue<(long Time, int Number)> Acknowledged { get; } = new();

        public ConcurrentQueue<(long Begin, int Number)> Pulls { get; } = new();

        public TimeSpan LongestSilence()
        {
            var times = Acknowledged.Select(push => push.Time).ToArray();
            return times.Zip(times.Skip(1), Stopwatch.GetElapsedTime).DefaultIfEmpty().Max();
        }

        public TimeSpan OldestAnswer()
        {
            var pushes = Acknowledged.ToArray();
            var oldest = TimeSpan.Zero;
            foreach (var (begin, number) in Pulls)
            {
                var next = Array.Find(pushes, push => push.Number > number);
                if (next.Number > 0 && next.Time < begin && Stopwatch.GetElapsedTime(next.Time, begin) is var age && age > oldest)
                {
                    oldest = age;
                }
            }

            return oldest;
        }
    }
}
