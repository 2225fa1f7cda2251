using System.Diagnostics;

namespace Granary.EndToEnd.Tests;

/// <summary>Runs a client program.</summary>
internal static class Tool
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    /// <summary>Runs it to its end; what it wrote to standard output.</summary>
    /// <exception cref="InvalidOperationException">It failed; the message is what it wrote.</exception>
    public static async Task<string> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(StartInfo(program, arguments))!;
        process.StandardInput.Close();
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            var (output, errors) = (process.StandardOutput.ReadToEndAsync(patience.Token), process.StandardError.ReadToEndAsync(patience.Token));
            await process.WaitForExitAsync(patience.Token);
            return process.ExitCode == 0
                ? await output
                : throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}:\n{await output}\n{await errors}");
        }
        catch (OperationCanceledException e)
        {
            process.Kill(entireProcessTree: true);
            throw new InvalidOperationException($"{program} {string.Join(' ', arguments)} does not end.", e);
        }
    }

    /// <summary>Starts a daemon; what it writes goes to a file.</summary>
    public static Process StartDaemon(string program, string logFile, params string[] arguments)
    {
        // A shell writes the log: nobody has to read pipes of a process that outlives the test's interest in it.
        var line = string.Join(' ', new[] { program }.Concat(arguments).Select(argument => $"'{argument}'"));
        return Process.Start(StartInfo("sh", ["-c", $"exec {line} > '{logFile}' 2>&1"]))!;
    }

    /// <summary>Waits until something works.</summary>
    public static async Task WaitForAsync(Func<Task> attempt)
    {
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(200));
        for (var count = 1; ; count++)
        {
            try
            {
                await attempt();
                return;
            }
            catch (InvalidOperationException) when (count < 150)
            {
                await timer.WaitForNextTickAsync();
            }
        }
    }

    private static ProcessStartInfo StartInfo(string program, string[] arguments)
    {
        var start = new ProcessStartInfo(program)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["BUILDAH_ISOLATION"] = "chroot";
        return start;
    }
}
