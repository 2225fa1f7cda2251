using System.Net.Sockets;

namespace Granary.Cluster.Tests;

/// <summary>Silos and gateways in processes of their own, over one emulated storage account.</summary>
internal sealed class ClusterProcesses : IAsyncDisposable
{
    private readonly TemporaryDirectory _directory = new();
    private readonly string _connectionString;
    private readonly string _id;
    private readonly string[] _settings;
    private int _started;

    private ClusterProcesses(string connectionString, string id, string[] settings) =>
        (_connectionString, _id, _settings) = (connectionString, id, settings);

    /// <summary>The silos, dead ones included.</summary>
    public List<GranaryProcess> Silos { get; } = [];

    /// <summary>The gateways, dead ones included.</summary>
    public List<GranaryProcess> Gateways { get; } = [];

    /// <summary>Starts a cluster and waits until all its processes serve.</summary>
    /// <param name="connectionString">The account.</param>
    /// <param name="silos">How many silos.</param>
    /// <param name="gateways">How many gateways.</param>
    /// <param name="table">The table of the rows and the container of the bytes. Clusters of different tables share nothing.</param>
    /// <param name="id">The name of the cluster; null for that of the table.</param>
    /// <param name="settings">More settings of all processes, such as <c>--cluster.proof</c>, <c>5s</c>.</param>
    public static async Task<ClusterProcesses> StartAsync(
        string connectionString,
        int silos,
        int gateways,
        string table,
        string? id = null,
        params string[] settings)
    {
        string[] all = ["--storage.azure.table", table, "--storage.azure.container", table, .. settings];
        var cluster = new ClusterProcesses(connectionString, id ?? table, all);
        await Task.WhenAll([
            .. Enumerable.Range(0, silos).Select(_ => cluster.StartSiloAsync()),
            .. Enumerable.Range(0, gateways).Select(_ => cluster.StartGatewayAsync()),
        ]);
        return cluster;
    }

    /// <summary>Starts one silo more.</summary>
    public async Task<GranaryProcess> StartSiloAsync()
    {
        var (silo, gateway) = (FreePort(), FreePort());
        string[] ports = ["--cluster.siloPort", $"{silo}", "--cluster.gatewayPort", $"{gateway}", "--cluster.address", "127.0.0.1"];
        var process = await StartAsync("silo", ports);
        Silos.Add(process);
        return process;
    }

    /// <summary>Starts one gateway more.</summary>
    public async Task<GranaryProcess> StartGatewayAsync()
    {
        var process = await StartAsync("gateway");
        Gateways.Add(process);
        return process;
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var process in (GranaryProcess[])[.. Gateways, .. Silos])
        {
            if (!process.HasExited)
            {
                process.Thaw();
            }

            await process.DisposeAsync();
        }

        _directory.Dispose();
    }

    private Task<GranaryProcess> StartAsync(string role, params string[] more)
    {
        string[] common = ["--role", role, "--cluster.id", _id, "--storage.azure.connectionString", _connectionString];
        var data = _directory.Combine($"{role}{Interlocked.Increment(ref _started)}");
        return GranaryProcess.StartAsync(data, [.. common, .. _settings, .. more]);
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
