using System.Diagnostics;
using Granary.CollectionBench;

// Measures the cost of a collection, beside "docker-registry garbage-collect" of the same garbage, and the latency of clients meanwhile.
//   dotnet run -c Release --project bench/CollectionBench -- cost GRANARY-PROGRAM [DOCKER-REGISTRY-PROGRAM]
//   dotnet run -c Release --project bench/CollectionBench -- latency GRANARY-PROGRAM
if (args is not (["cost", _] or ["cost", _, _] or ["latency", _]))
{
    Console.Error.WriteLine("usage: CollectionBench cost GRANARY-PROGRAM [DOCKER-REGISTRY-PROGRAM] | latency GRANARY-PROGRAM");
    return 1;
}

const int Garbage = 10_000;
if (args[0] == "latency")
{
    await MeasureAsync();
    return 0;
}

Console.WriteLine($"{"",-24} {"blobs",8} {"garbage",8} {"seconds",9} {"CPU s",9}");
foreach (var total in (int[])[20_000, 100_000])
{
    await using (var granary = await Server.StartGranaryAsync(args[1]))
    {
        var garbage = await Load.FillAsync(granary, total, Garbage);
        await Load.DeleteAsync(granary, garbage);
        var (watch, cpu) = (Stopwatch.StartNew(), granary.CpuSeconds);
        await granary.RunAsync("gc", "run", "--grace", "0s", "--server", granary.Address.ToString(), "--data", granary.Data);
        Report("granary", total, watch.Elapsed.TotalSeconds, granary.CpuSeconds - cpu);
    }

    if (args.Length == 3)
    {
        await using var peer = await Server.StartPeerAsync(args[2]);
        var garbage = await Load.FillAsync(peer, total, Garbage);
        await Load.DeleteAsync(peer, garbage);
        peer.Stop();
        var watch = Stopwatch.StartNew();
        var cpu = await peer.RunAsync("garbage-collect", peer.Configuration);
        Report("docker-registry (stopped)", total, watch.Elapsed.TotalSeconds, cpu);
    }
}

return 0;

async Task MeasureAsync()
{
    await using var granary = await Server.StartGranaryAsync(args[1]);
    Console.WriteLine($"{"ms, 4 clients",-24} {"push p50",9} {"push p99",9} {"pull p50",9} {"pull p99",9} {"requests",9}");
    for (var round = 0; round < 3; round++)
    {
        var garbage = await Load.FillAsync(granary, Garbage * 2, Garbage);
        await Load.DeleteAsync(granary, garbage);
        var without = await Load.MeasureAsync(granary, Task.Delay(TimeSpan.FromSeconds(5), TimeProvider.System));
        var with = await Load.MeasureAsync(granary, Load.CollectAsync(granary));
        Console.WriteLine($"{"without a collection",-24} {without}");
        Console.WriteLine($"{"with one",-24} {with}");
    }
}

static void Report(string name, int total, double seconds, double cpu) =>
    Console.WriteLine($"{name,-24} {total,8} {Garbage,8} {seconds,9:0.00} {cpu,9:0.00}");
