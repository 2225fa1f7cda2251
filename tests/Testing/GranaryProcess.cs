using System.Diagnostics;
using System.Text;
using System.Threading.Channels;

namespace Granary.Testing;

/// <summary>The program in a process of its own, on a free port.</summary>
public sealed class GranaryProcess : IAsyncDisposable
{
    private const string Listening = "Granary serves ";

    private readonly Process _process;
    private readonly StringBuilder _output = new();
    private readonly StringBuilder _standardOutput = new();
    private readonly StringBuilder _standardError = new();
    private readonly Channel<string> _lines = Channel.CreateUnbounded<string>();

    private string _data = "";
    private int _streamsEnded;

    private GranaryProcess(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) => Record(line.Data, _standardOutput);
        process.ErrorDataReceived += (_, line) => Record(line.Data, _standardError);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>The address that the program listens on, after it has started.</summary>
    public Uri Address { get; private set; } = new("http://127.0.0.1:0");

    /// <summary>The registry as clients name it: <c>127.0.0.1:12345</c>.</summary>
    public string Host => $"{Address.Host}:{Address.Port}";

    public int Id => _process.Id;

    public bool HasExited => _process.HasExited;

    /// <summary>The output on both streams.</summary>
    public string Output => Text(_output);

    /// <summary>The output on standard output alone.</summary>
    public string StandardOutput => Text(_standardOutput);

    /// <summary>The output on standard error alone.</summary>
    public string StandardError => Text(_standardError);

    /// <summary>Starts the server and waits until it serves.</summary>
    /// <exception cref="InvalidOperationException">The server ended before. The message is its output.</exception>
    public static Task<GranaryProcess> StartAsync(string data, params string[] arguments) => StartAsync([], data, arguments);

    /// <summary>Starts the server under another program, and waits until it serves.</summary>
    /// <param name="watcher">The other program and its arguments.</param>
    /// <param name="data">The data directory.</param>
    /// <param name="arguments">Settings.</param>
    public static async Task<GranaryProcess> StartAsync(string[] watcher, string data, params string[] arguments)
    {
        var granary = Start(["serve", "--urls", "http://127.0.0.1:0", "--data", data, .. arguments], watcher);
        await foreach (var line in granary._lines.Reader.ReadAllAsync())
        {
            if (line.IndexOf(Listening, StringComparison.Ordinal) is >= 0 and var at)
            {
                granary._data = data;
                granary.Address = new Uri(line[(at + Listening.Length)..].Split(' ')[0]);
                return granary;
            }
        }

        throw new InvalidOperationException(granary.Output);
    }

    /// <summary>Runs a command to its end. Returns its exit status and its output.</summary>
    public static async Task<(int Status, string Output)> RunAsync(params string[] arguments)
    {
        await using var granary = Start(arguments);
        await granary.WaitForExitAsync();
        return (granary._process.ExitCode, granary.Output);
    }

    /// <summary>Runs a command to its end. Returns its exit status and its output on each stream.</summary>
    /// <param name="starter">The program that starts the command, and its arguments: <c>env NAME=VALUE</c> sets a variable,
    /// <c>setpriv</c> drops privileges.</param>
    /// <param name="arguments">The command.</param>
    public static async Task<(int Status, string Output, string Error)> RunAsync(string[] starter, params string[] arguments)
    {
        await using var granary = Start(arguments, starter);
        await granary.WaitForExitAsync();
        return (granary._process.ExitCode, granary.StandardOutput, granary.StandardError);
    }

    /// <summary>
    /// Runs a command until it writes a line with the text, and then interrupts it as Ctrl+C does. Returns its exit status and its output.
    /// </summary>
    public static async Task<(int Status, string Output)> InterruptAsync(string text, params string[] arguments)
    {
        await using var granary = Start(arguments);
        await granary.WaitForLineAsync(text);
        granary.Interrupt();
        await granary.WaitForExitAsync();
        return (granary._process.ExitCode, granary.Output);
    }

    /// <summary>Creates a client with the token of the administration.</summary>
    public RegistryClient CreateClient() => new(Address) { AdminToken = TestRegistry.ReadAdminToken(_data) };

    /// <summary>
    /// Runs a command under a parent that ignores SIGINT, as in a script's background, until it writes a line with the text. Then
    /// interrupts and terminates it. Returns its exit status and its output.
    /// </summary>
    public static async Task<(int Status, string Output)> TerminateInBackgroundAsync(string text, params string[] arguments)
    {
        await using var granary = Start(arguments, ["env", "--ignore-signal=INT"]);
        await granary.WaitForLineAsync(text);
        granary.Interrupt();
        granary.Terminate();
        await granary.WaitForExitAsync();
        return (granary._process.ExitCode, granary.Output);
    }

    /// <summary>Waits for the next line with all of these texts, after the lines that were waited for before. Returns it.</summary>
    /// <exception cref="InvalidOperationException">The process ended before. The message is its output.</exception>
    public async Task<string> WaitForLineAsync(params string[] texts)
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        await foreach (var line in _lines.Reader.ReadAllAsync(timeout.Token))
        {
            if (Array.TrueForAll(texts, text => line.Contains(text, StringComparison.Ordinal)))
            {
                return line;
            }
        }

        throw new InvalidOperationException(Output);
    }

    /// <summary>Ends the process at once, as <c>kill -9</c> does.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>Asks the process to stop: SIGTERM.</summary>
    public void Terminate() => Signal("-TERM");

    /// <summary>Freezes the process, as a paused virtual machine is: SIGSTOP.</summary>
    public void Freeze() => Signal("-STOP");

    /// <summary>Lets a frozen process go on: SIGCONT.</summary>
    public void Thaw() => Signal("-CONT");

    /// <summary>Interrupts the process as Ctrl+C does: SIGINT.</summary>
    public void Interrupt() => Signal("-INT");

    /// <summary>Waits until the process has ended. Returns its exit status.</summary>
    public async Task<int> WaitForExitAsync()
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        await _process.WaitForExitAsync(timeout.Token);
        return _process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            await KillAsync();
        }

        _process.Dispose();
    }

    private static GranaryProcess Start(IEnumerable<string> arguments, params string[] watcher)
    {
        // A test run in the background of a script (nohup ./test.sh &) ignores SIGINT. Without "env", the program would inherit that and
        // would never see the interrupt of a test.
        string[] command = ["env", "--default-signal=INT", .. watcher, "dotnet"];
        var start = new ProcessStartInfo(command[0])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetTempPath(),
        };
        foreach (var part in command[1..])
        {
            start.ArgumentList.Add(part);
        }

        start.ArgumentList.Add(Path.Combine(AppContext.BaseDirectory, "granary.dll"));
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("GRANARY_", StringComparison.Ordinal)).ToArray())
        {
            start.Environment.Remove(name);
        }

        return new GranaryProcess(Process.Start(start)!);
    }

    private void Signal(string signal)
    {
        using var kill = Process.Start("kill", [signal, Id.ToString()]);
        kill.WaitForExit();
    }

    private string Text(StringBuilder builder)
    {
        lock (_output)
        {
            return builder.ToString();
        }
    }

    private void Record(string? line, StringBuilder stream)
    {
        if (line is null)
        {
            // The end of the second of the two streams.
            if (Interlocked.Increment(ref _streamsEnded) == 2)
            {
                _lines.Writer.TryComplete();
            }

            return;
        }

        lock (_output)
        {
            _output.AppendLine(line);
            stream.AppendLine(line);
        }

        _lines.Writer.TryWrite(line);
    }
}
