using System.Diagnostics;

namespace Granary.EndToEnd.Tests;

/// <summary>Runs a client program.</summary>
internal static class Tool
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    /// <summary>Runs a program to its end, and returns its standard output.</summary>
    /// <exception cref="InvalidOperationException">The program failed. The message has its output.</exception>
    public static async Task<string> RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(StartInfo(program, arguments))!;
        process.StandardInput.Close();
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            var output = process.StandardOutput.ReadToEndAsync(patience.Token);
            var errors = process.StandardError.ReadToEndAsync(patience.Token);
            await process.WaitForExitAsync(patience.Token);
            return process.ExitCode == 0
                ? await output
                : throw new InvalidOperationException(
                    $"{program} {string.Join(' ', arguments)} ended with {process.ExitCode}:\n{await output}\n{await errors}");
        }
        catch (OperationCanceledException e)
        {
            process.Kill(entireProcessTree: true);
            throw new InvalidOperationException(
                $"{program} {string.Join(' ', arguments)} did not end within {Patience.TotalMinutes} minutes.", e);
        }
    }

    /// <summary>Starts a daemon that writes its output to a file.</summary>
    public static Process StartDaemon(string program, string logFile, params string[] arguments)
    {
        // The shell redirects the output. With a pipe, the daemon would stop once the test no longer reads it.
        var line = string.Join(' ', new[] { program }.Concat(arguments).Select(argument => $"'{argument}'"));
        return Process.Start(StartInfo("sh", ["-c", $"exec {line} > '{logFile}' 2>&1"]))!;
    }

    /// <summary>Repeats an attempt until it succeeds, for at most 30 seconds.</summary>
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
