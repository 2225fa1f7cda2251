using Granary.Gateway.Http;
using Granary.Protocol.Units;
using Granary.Silo.Configuration;
using Microsoft.AspNetCore.Hosting.Server;

namespace Granary.Silo.Hosting;

/// <summary>
/// Stops the parts of a server one after the other, each with a timeout of its own:
/// <list type="number">
/// <item><c>/readyz</c> answers 503, and the server still accepts requests for <c>shutdown.delay</c>;</item>
/// <item>the web server closes its listener and all idle connections, and waits <c>shutdown.timeout</c> for running requests;</item>
/// <item>it cuts the requests that still run; uploads keep the bytes that they have received;</item>
/// <item>grains and background work stop.</item>
/// </list>
/// The host has one timeout for all steps, which begins before the delay. A delay of a minute would leave the transfers no time, and
/// transfers that take all of it would leave no time for the grains that commit the bytes of cut uploads.
/// </summary>
internal sealed partial class Shutdown(
    IHost host,
    IServer webServer,
    RequestGate requests,
    ShutdownOptions options,
    TimeProvider time,
    ILogger logger)
{
    /// <summary>How long grains and background work may take to stop. They stop after the current step, within milliseconds.</summary>
    public static readonly TimeSpan RestTimeout = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan LongestWait = TimeSpan.FromDays(40);

    // A cut upload syncs the received bytes and commits its offset.
    private static readonly TimeSpan CleanupTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan CleanupPoll = TimeSpan.FromMilliseconds(20);

    /// <summary>Runs all steps.</summary>
    public async Task RunAsync()
    {
        LogStopping(logger, Durations.Text(options.Delay), Durations.Text(options.Timeout));

        // :: Step 1
        host.Services.GetRequiredService<IHostApplicationLifetime>().StopApplication();
        await Task.Delay(Wait(options.Delay), time);

        // :: Steps 2 and 3
        await FinishRequestsAsync();

        // :: Step 4
        await host.StopAsync();
    }

    private async Task FinishRequestsAsync()
    {
        using var cut = new CancellationTokenSource();
        var finish = webServer.StopAsync(cut.Token);
        await Task.WhenAny(finish, Task.Delay(Wait(options.Timeout), time));
        if (!finish.IsCompleted)
        {
            LogCut(logger, requests.Running, Durations.Text(options.Timeout));
            await cut.CancelAsync();
        }

        await finish;
        using var patience = new CancellationTokenSource(CleanupTimeout, time);
        while (requests.Running > 0 && !patience.IsCancellationRequested)
        {
            await Task.Delay(CleanupPoll, time);
        }
    }

    // A timer takes at most 49 days; a setting may be longer.
    private static TimeSpan Wait(TimeSpan setting) => setting < LongestWait ? setting : LongestWait;

    [LoggerMessage(3302, LogLevel.Information,
        "Stopping: /readyz answers 503, the server accepts requests for {Delay} more, and running transfers have {Timeout} after that " +
        "to finish (shutdown.delay, shutdown.timeout)")]
    private static partial void LogStopping(ILogger logger, string delay, string timeout);

    [LoggerMessage(3306, LogLevel.Warning,
        "Cut {Requests} requests that were still running {Timeout} (shutdown.timeout) after the listener was closed; uploads keep the " +
        "bytes that they have received, and clients can resume them")]
    private static partial void LogCut(ILogger logger, int requests, string timeout);
}
