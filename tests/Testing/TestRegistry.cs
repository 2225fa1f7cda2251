using Granary.Silo.Configuration;
using Granary.Silo.Hosting;
using Granary.Storage.Data;

namespace Granary.Testing;

/// <summary>A registry in the test's process: real HTTP on a free port, real SQLite, real files.</summary>
public sealed class TestRegistry : IAsyncDisposable
{
    private readonly TemporaryDirectory? _owned;
    private readonly GranaryServer _server;

    private TestRegistry(GranaryServer server, string data, TemporaryDirectory? owned)
    {
        (_server, Data, _owned) = (server, data, owned);
        Address = new Uri(server.Addresses.First());
        Client = new RegistryClient(Address) { AdminToken = ReadAdminToken(data) };
    }

    public Uri Address { get; }

    public RegistryClient Client { get; }

    /// <summary>The data directory.</summary>
    public string Data { get; }

    public IServiceProvider Services => _server.Services;

    /// <summary>Starts a registry with settings by name, in a temporary directory unless <c>data</c> names one.</summary>
    public static async Task<TestRegistry> StartAsync(
        IReadOnlyDictionary<string, string>? settings = null,
        TimeProvider? time = null)
    {
        var all = new Dictionary<string, string>(StringComparer.Ordinal) { ["urls"] = "http://127.0.0.1:0", ["log.level"] = "error" };
        foreach (var (name, value) in settings ?? new Dictionary<string, string>())
        {
            all[name] = value;
        }

        var owned = all.ContainsKey("data") ? null : new TemporaryDirectory();
        all.TryAdd("data", owned?.Path ?? "");
        var server = await GranaryServer.CreateAsync(GranarySettings.Load(file: null, all), time);
        await server.StartAsync();
        return new TestRegistry(server, all["data"], owned);
    }

    /// <summary>Reads the token of a data directory's administration. Returns null if there is none.</summary>
    public static string? ReadAdminToken(string data)
    {
        var file = Path.Combine(data, AdminToken.FileName);
        return File.Exists(file) ? File.ReadAllText(file).Trim() : null;
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _server.StopAsync();
        await _server.DisposeAsync();
        _owned?.Dispose();
    }
}
