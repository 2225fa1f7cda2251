using System.Diagnostics;
using System.Globalization;
using Granary.CollectionBench;
using Granary.ParallelPulls;

// Pulls one large layer from the page cache many times at once, and requests /v2/ meanwhile. Shows whether all pulls are whole, and how
// long other requests take.
//   dotnet run -c Release --project bench/ParallelPulls -- PROGRAM [PULLS] [MEGABYTES] [maintenance]
// PROGRAM is granary or docker-registry. With "maintenance", granary collects garbage and scrubs meanwhile, one run after the other.
if (args.Length is 0 or > 4)
{
    Console.Error.WriteLine("usage: ParallelPulls PROGRAM [PULLS] [MEGABYTES] [maintenance]");
    return 1;
}

var program = args[0];
var pulls = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 30;
var size = (args.Length > 2 ? int.Parse(args[2], CultureInfo.InvariantCulture) : 3072) * 1024L * 1024;
var isPeer = Path.GetFileName(program).StartsWith("docker-registry", StringComparison.Ordinal);
var withMaintenance = args.Length > 3 && !isPeer;

await using var server = isPeer ? await Server.StartPeerAsync(program) : await Server.StartGranaryAsync(program);
var path = await Layer.PushAsync(server.Address, size);

// The first pull brings the layer into the page cache, if the push has not.
Layer.Pull(server.Address, path, size);
await MeasureAsync("one pull", 1, withMaintenance: false);
await MeasureAsync($"{pulls} pulls", pulls, withMaintenance: false);
if (withMaintenance)
{
    await MeasureAsync($"{pulls} pulls, collection and scrub", pulls, withMaintenance: true);
}

return 0;

async Task MeasureAsync(string name, int count, bool withMaintenance)
{
    using var end = new CancellationTokenSource();
    var probing = Task.Factory.StartNew(
        () => Probe.Run(server.Address, end.Token),
        CancellationToken.None,
        TaskCreationOptions.LongRunning,
        TaskScheduler.Default);
    var maintaining = withMaintenance ? MaintainAsync(end.Token) : Task.FromResult(0);
    var (watch, cpu) = (Stopwatch.StartNew(), server.CpuSeconds);
    var results = new long[count];
    var threads = Enumerable.Range(0, count).Select(i => new Thread(() => results[i] = Layer.Pull(server.Address, path, size))).ToArray();
    Array.ForEach(threads, thread => thread.Start());
    Array.ForEach(threads, thread => thread.Join());
    var (seconds, used) = (watch.Elapsed.TotalSeconds, server.CpuSeconds - cpu);
    await end.CancelAsync();
    var times = await probing;
    var whole = results.Count(bytes => bytes == size);
    var gigabytes = results.Sum() / 1e9;
    Console.WriteLine(
        $"{name}: {whole} of {count} whole, {seconds:0.0} s, {gigabytes / seconds:0.00} GB/s, CPU {used / gigabytes:0.00} s/GB; "
        + $"/v2/ {times.Count} times, median {times[times.Count / 2]:0.000} s, "
        + $"p99 {times[(int)(times.Count * 0.99)]:0.000} s, most {times[^1]:0.000} s"
        + (withMaintenance ? $"; {await maintaining} collections and scrubs" : ""));
}

async Task<int> MaintainAsync(CancellationToken end)
{
    var runs = 0;
    for (; !end.IsCancellationRequested; runs++)
    {
        string[] command = runs % 2 == 0 ? ["gc", "run"] : ["scrub"];
        await server.RunAsync([.. command, "--server", server.Address.ToString()]);
    }

    return runs;
}
