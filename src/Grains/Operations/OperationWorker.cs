using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Operations;
using Granary.Storage;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Granary.Grains.Operations;

/// <summary>Runs operations. Each silo has one worker. A free worker claims the next operation, or one whose worker died.</summary>
public sealed partial class OperationWorker(
    IGrainFactory grains,
    IEnumerable<IOperation> operations,
    OperationSignal signal,
    TimeProvider time,
    ILogger<OperationWorker> logger) : BackgroundService
{
    // Operations of this silo start at once (OperationSignal). Looking for others costs a grain call and a read: twice a second, that was a
    // quarter of the CPU time of an idle server.
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(5);

    // After a restart, the operations that ran before continue soon.
    private static readonly TimeSpan FirstPoll = TimeSpan.FromMilliseconds(500);

    // Far shorter than a claim, so that no other worker takes a living one for dead.
    private static readonly TimeSpan HeartbeatInterval = TimeSpan.FromSeconds(2);

    private readonly Guid _id = Guid.NewGuid();

    private IOperationsGrain Operations => grains.GetGrain<IOperationsGrain>(0);

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // The timer finds operations that another silo was asked for, and those whose worker died.
        using var timer = time.CreateTimer(_ => signal.Set(), state: null, FirstPoll, PollInterval);
        var running = new List<Task>();
        while (await signal.WaitAsync(stoppingToken))
        {
            running.RemoveAll(task => task.IsCompleted);
            try
            {
                while (await Operations.Claim(_id, stoppingToken) is { } claimed)
                {
                    running.Add(RunAsync(claimed, stoppingToken));
                }
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogListUnavailable(logger, e.Message);
            }
        }
    }

    private async Task RunAsync(OperationStatus claimed, CancellationToken stoppingToken)
    {
        var run = new OperationRun(claimed, progress => ReportAsync(claimed.Id, progress), time);
        LogStarted(logger, claimed.Request.Kind, claimed.Id, run.Done);
        try
        {
            var error = await RunWithHeartbeatAsync(claimed, run, stoppingToken);
            await FinishAsync(claimed, run, error);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The server stops. The operation stays claimed, and continues with its next step after the claim ends.
        }
    }

    /// <summary>
    /// Runs the operation, and reports until it ends that the worker is alive. Returns why it failed; null if it did not.
    /// </summary>
    private async Task<string?> RunWithHeartbeatAsync(OperationStatus claimed, OperationRun run, CancellationToken stoppingToken)
    {
        // Ends the operation in the middle of a long step, too, when it is cancelled or another worker has claimed it.
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        using var timer = new PeriodicTimer(HeartbeatInterval, time);
        var heartbeat = HeartbeatAsync(claimed.Id, run, timer, ended);
        try
        {
            return await TryRunAsync(claimed, run, stoppingToken, ended.Token);
        }
        finally
        {
            timer.Dispose();
            await ended.CancelAsync();
            await heartbeat;
        }
    }

    private async Task<string?> TryRunAsync(
        OperationStatus claimed,
        OperationRun run,
        CancellationToken stoppingToken,
        CancellationToken ended)
    {
        try
        {
            // An operation that was cancelled after its worker died is only finished.
            if (claimed.State == OperationState.Running)
            {
                await operations.Single(operation => operation.Kind == claimed.Request.Kind).RunAsync(run, ended);
            }
        }
        catch (OperationCanceledException) when (!stoppingToken.IsCancellationRequested)
        {
            LogCancelled(logger, claimed.Request.Kind, claimed.Id);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            var isExpected = e is OperationFailedException or PartitionUnavailableException or StorageException;
            LogFailed(logger, claimed.Request.Kind, claimed.Id, isExpected ? null : e, e.Message);
            return e.Message;
        }

        return null;
    }

    private async Task FinishAsync(OperationStatus claimed, OperationRun run, string? error)
    {
        var kind = claimed.Request.Kind;
        try
        {
            await Operations.Finish(claimed.Id, _id, run.Progress, error, CancellationToken.None);
            var results = OperationResults.Text(kind, run.Progress.Counts);
            LogEnded(logger, kind, claimed.Id, results.Length > 0 ? results : "nothing to do");
        }
        catch (Exception e)
        {
            LogListUnavailable(logger, e.Message);
        }
    }

    /// <summary>
    /// Extends the claim until the timer is disposed, however long a step takes. The timer is not cancelled by a token: the exception's
    /// stack trace would make the runtime read the debug symbols.
    /// </summary>
    private async Task HeartbeatAsync(string id, OperationRun run, PeriodicTimer timer, CancellationTokenSource ended)
    {
        try
        {
            while (await timer.WaitForNextTickAsync(CancellationToken.None))
            {
                await ExtendClaimAsync(id, run, ended);
            }
        }
        catch (OperationCanceledException)
        {
            // The operation ended during the report.
        }
    }

    private async Task ExtendClaimAsync(string id, OperationRun run, CancellationTokenSource ended)
    {
        try
        {
            if (!await Operations.Report(id, _id, run.Latest, ended.Token))
            {
                await ended.CancelAsync();
            }
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            LogListUnavailable(logger, e.Message);
        }
    }

    private async Task ReportAsync(string id, OperationProgress progress)
    {
        if (!await Operations.Report(id, _id, progress, CancellationToken.None))
        {
            throw new OperationCanceledException($"Operation {id} was cancelled, or another worker has claimed it.");
        }
    }

    [LoggerMessage(1301, LogLevel.Information, "{Kind} {Id} begins, at step {Step}")]
    private static partial void LogStarted(ILogger logger, OperationKind kind, string id, long step);

    [LoggerMessage(1302, LogLevel.Information, "{Kind} {Id} has ended: {Results}")]
    private static partial void LogEnded(ILogger logger, OperationKind kind, string id, string results);

    [LoggerMessage(1303, LogLevel.Information, "{Kind} {Id} was cancelled")]
    private static partial void LogCancelled(ILogger logger, OperationKind kind, string id);

    [LoggerMessage(1304, LogLevel.Error, "{Kind} {Id} failed. Remove the cause, then start it again: {Reason}")]
    private static partial void LogFailed(ILogger logger, OperationKind kind, string id, Exception? exception, string reason);

    [LoggerMessage(1305, LogLevel.Warning, "The worker cannot read or write the list of operations, and tries again: {Reason}")]
    private static partial void LogListUnavailable(ILogger logger, string reason);
}
