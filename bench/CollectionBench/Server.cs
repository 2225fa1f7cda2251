using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Granary.CollectionBench;

/// <summary>A registry under test, with its own directory, which is deleted with it.</summary>
internal sealed class Server : IAsyncDisposable
{
    private readonly string _program;
    private readonly string _directory = Directory.CreateTempSubdirectory("collection-bench-").FullName;
    private readonly Process _process;

    private Server(string program, Func<string, int, string[]> arguments, IReadOnlyDictionary<string, string> environment)
    {
        _program = program;
        var port = FreePort();
        Address = new Uri($"http://127.0.0.1:{port}");
        Client = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 64 }) { BaseAddress = Address };
        _process = Start(arguments(_directory, port), environment);
    }

    public Uri Address { get; }

    public HttpClient Client { get; }

    /// <summary>The data directory of Granary.</summary>
    public string Data => _directory;

    /// <summary>The configuration file of docker-registry.</summary>
    public string Configuration => Path.Combine(_directory, "config.yml");

    /// <summary>The CPU time of the server since its start.</summary>
    public double CpuSeconds
    {
        get
        {
            _process.Refresh();
            return _process.TotalProcessorTime.TotalSeconds;
        }
    }

    public static Task<Server> StartGranaryAsync(string program) => ReadyAsync(new Server(
        program,
        (directory, port) =>
        [
            "serve", "--urls", $"http://127.0.0.1:{port}", "--data", directory, "--log.access", "false", "--log.level", "error",
        ],
        new Dictionary<string, string>()));

    public static Task<Server> StartPeerAsync(string program) => ReadyAsync(new Server(
        program,
        (directory, port) =>
        {
            var file = Path.Combine(directory, "config.yml");
            File.WriteAllText(file, $$"""
                version: 0.1
                log: {level: error, accesslog: {disabled: true} }
                storage:
                  filesystem: {rootdirectory: "{{directory}}/data"}
                  cache: {blobdescriptor: inmemory}
                  delete: {enabled: true}
                http: {addr: "127.0.0.1:{{port}}"}

                """);
            return ["serve", file];
        },
        new Dictionary<string, string> { ["OTEL_TRACES_EXPORTER"] = "none" }));

    /// <summary>Runs a command of the program beside the server, and waits for its end.</summary>
    /// <returns>The CPU time of the command in seconds, to a hundredth.</returns>
    public async Task<double> RunAsync(params string[] arguments)
    {
        using var process = Start(arguments, new Dictionary<string, string>());
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        var cpu = 0.0;
        while (!process.HasExited)
        {
            try
            {
                // After the process has ended, its CPU time cannot be read any more.
                process.Refresh();
                cpu = process.TotalProcessorTime.TotalSeconds;
            }
            catch (InvalidOperationException)
            {
                // It has just ended.
            }

            await timer.WaitForNextTickAsync();
        }

        return process.ExitCode == 0
            ? cpu
            : throw new InvalidOperationException(
                $"{_program} {string.Join(' ', arguments)} ended with status {process.ExitCode.ToString(CultureInfo.InvariantCulture)}.");
    }

    public void Stop()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    public ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            Stop();
        }

        _process.Dispose();
        Client.Dispose();
        Directory.Delete(_directory, recursive: true);
        return ValueTask.CompletedTask;
    }

    private static async Task<Server> ReadyAsync(Server server)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(50));
        while (await timer.WaitForNextTickAsync())
        {
            try
            {
                using var answer = await server.Client.GetAsync(new Uri("/v2/", UriKind.Relative));
                return server;
            }
            catch (HttpRequestException) when (!server._process.HasExited)
            {
                // The server does not listen yet.
            }
        }

        return server;
    }

    private Process Start(string[] arguments, IReadOnlyDictionary<string, string> environment)
    {
        var start = new ProcessStartInfo(_program, arguments)
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        var process = Process.Start(start)!;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
