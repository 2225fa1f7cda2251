using System.Diagnostics;
using System.Text;
using System.Threading.Channels;

namespace Granary.Testing;

/// <summary>
/// Azurite, the emulator of a storage account, in a process of its own, on free ports, with its data in memory. <c>test.sh</c> installs it.
/// </summary>
public sealed class AzuriteServer : IAsyncDisposable
{
    /// <summary>The name of the emulated account.</summary>
    public const string Account = "devstoreaccount1";

    /// <summary>The key of the emulated account. It is public and the same everywhere.</summary>
    public const string Key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    private const string Script = ".tools/node_modules/azurite/dist/src/azurite.js";
    private const string Listening = "successfully listening at ";

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly Channel<string> _lines = Channel.CreateUnbounded<string>();

    private AzuriteServer(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) => Record(line.Data);
        process.ErrorDataReceived += (_, line) => Record(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>The address of the blobs, without the account.</summary>
    public Uri Blobs { get; private set; } = new("http://127.0.0.1:0");

    /// <summary>The address of the tables, without the account.</summary>
    public Uri Tables { get; private set; } = new("http://127.0.0.1:0");

    public int Id => _process.Id;

    /// <summary>The connection string of the emulated account.</summary>
    public string ConnectionString => ConnectionStringOf(Blobs, Tables);

    /// <summary>Returns a connection string whose clients reach the account at other addresses, such as those of a proxy.</summary>
    public static string ConnectionStringOf(Uri blobs, Uri tables) =>
        $"DefaultEndpointsProtocol=http;AccountName={Account};AccountKey={Key};"
        + $"BlobEndpoint={blobs}{Account};TableEndpoint={tables}{Account};";

    /// <summary>Starts Azurite and waits until it serves.</summary>
    /// <param name="arguments">More arguments, such as <c>--blobPort 10000</c>.</param>
    /// <exception cref="InvalidOperationException">Azurite ended before. The message is its output.</exception>
    public static async Task<AzuriteServer> StartAsync(params string[] arguments)
    {
        var script = Path.Combine(RepositoryRoot(), Script);
        if (!File.Exists(script))
        {
            throw new InvalidOperationException($"{script} does not exist; ./test.sh installs it.");
        }

        string[] defaults =
        [
            "--inMemoryPersistence", "--blobPort", "0", "--queuePort", "0", "--tablePort", "0", "--skipApiVersionCheck",
            "--disableTelemetry", "--silent",
        ];
        var start = new ProcessStartInfo("node", [script, .. defaults, .. arguments])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        var azurite = new AzuriteServer(Process.Start(start)!);
        azurite.Blobs = await azurite.AddressAsync("Blob");
        azurite.Tables = await azurite.AddressAsync("Table");
        return azurite;
    }

    /// <summary>Sends a signal, such as <c>STOP</c>, <c>CONT</c> or <c>KILL</c>.</summary>
    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", $"{_process.Id}"]);
        await kill.WaitForExitAsync();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }

    private static string RepositoryRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory!.FullName, "Registry.sln")))
        {
            directory = directory.Parent;
        }

        return directory.FullName;
    }

    private async Task<Uri> AddressAsync(string service)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        await foreach (var line in _lines.Reader.ReadAllAsync(timeout.Token))
        {
            if (line.StartsWith($"Azurite {service} ", StringComparison.Ordinal)
                && line.IndexOf(Listening, StringComparison.Ordinal) is >= 0 and var at)
            {
                return new Uri(line[(at + Listening.Length)..]);
            }
        }

        throw new InvalidOperationException(_output.ToString());
    }

    private void Record(string? line)
    {
        if (line is null)
        {
            _lines.Writer.TryComplete();
            return;
        }

        lock (_output)
        {
            _output.AppendLine(line);
        }

        _lines.Writer.TryWrite(line);
    }
}
