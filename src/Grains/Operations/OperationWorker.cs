using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Operations;
using Granary.Storage;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Granary.Grains.Operations;

/// <summary>Does the operations that were asked for. One in each silo; whoever is free takes the next one, or goes on with one whose worker died.</summary>
public sealed partial class OperationWorker(
    IGrainFactory grains,
    IEnumerable<IOperation> operations,
    OperationSignal signal,
    TimeProvider time,
    ILogger<OperationWorker> logger) : BackgroundService
{
    // An operation that this silo was asked for begins at once (OperationSignal). Looking for others is a grain call and a read: twice a second, it was a quarter of what a server at rest does.
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    // After a restart: what was at work before goes on soon.
    private static readonly TimeSpan FirstLook = TimeSpan.FromMilliseconds(500);

    // Well below the time after which somebody else takes over.
    private static readonly TimeSpan SignOfLife = TimeSpan.FromSeconds(2);

    private readonly Guid _id = Guid.NewGuid();

    /// <inheritdoc/>
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var working = new List<Task>();

        // Operations that another silo was asked for, or whose worker died, are found by looking.
        using var timer = time.CreateTimer(_ => signal.Set(), state: null, FirstLook, Interval);
        while (await signal.WaitAsync(stoppingToken))
        {
            working.RemoveAll(task => task.IsCompleted);
            try
            {
                while (await Board.Claim(_id, stoppingToken) is { } claimed)
                {
                    working.Add(WorkAsync(claimed, stoppingToken));
                }
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogCannotClaim(logger, e.Message);
            }
        }
    }

    private IOperationsGrain Board => grains.GetGrain<IOperationsGrain>(0);

    private async Task WorkAsync(OperationStatus claimed, CancellationToken stoppingToken)
    {
        // One that was cancelled, or taken over, ends also in the middle of a long step.
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
        var run = new OperationRun(claimed, progress => ReportAsync(claimed.Id, progress), time);
        using var signs = new PeriodicTimer(SignOfLife, time);
        var living = LiveAsync(claimed.Id, run, signs, over);
        LogStarted(logger, claimed.Request.Kind, claimed.Id, run.Done);
        string? error = null;
        try
        {
            if (claimed.State == OperationState.Running)
            {
                await operations.Single(operation => operation.Kind == claimed.Request.Kind).RunAsync(run, over.Token);
            }
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
            // The server stops; it, or another one, goes on with the next step.
            return;
        }
        catch (OperationCanceledException)
        {
            LogCancelled(logger, claimed.Request.Kind, claimed.Id);
        }
        catch (Exception e)
        {
            error = e.Message;
            LogFailed(logger, claimed.Request.Kind, claimed.Id, e is OperationFailedException or PartitionUnavailableException or StorageException ? null : e, e.Message);
        }
        finally
        {
            signs.Dispose();
            await over.CancelAsync();
            await living;
        }

        try
        {
            await Board.Finish(claimed.Id, _id, run.Progress, error, CancellationToken.None);
            LogEnded(logger, claimed.Request.Kind, claimed.Id, OperationResults.Text(claimed.Request.Kind, run.Progress.Counts) is { Length: > 0 } results ? results : "nothing to do");
        }
        catch (Exception e)
        {
            LogCannotClaim(logger, e.Message);
        }
    }

    /// <summary>Says that the work goes on, however long a step takes, until nobody counts the time any more. (To cancel the wait would have the runtime look for the lines of a stack trace.)</summary>
    private async Task LiveAsync(string id, OperationRun run, PeriodicTimer signs, CancellationTokenSource over)
    {
        try
        {
            while (await signs.WaitForNextTickAsync(CancellationToken.None))
            {
                await SignAsync(id, run, over);
            }
        }
        catch (OperationCanceledException)
        {
            // The work has ended.
        }
    }

    private async Task SignAsync(string id, OperationRun run, CancellationTokenSource over)
    {
        try
        {
            if (!await Board.Report(id, _id, run.Latest, over.Token))
            {
                await over.CancelAsync();
            }
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            LogCannotClaim(logger, e.Message);
        }
    }

    private async Task ReportAsync(string id, OperationProgress progress)
    {
        if (!await Board.Report(id, _id, progress, CancellationToken.None))
        {
            throw new OperationCanceledException($"Operation {id} was cancelled.");
        }
    }

    [LoggerMessage(1301, LogLevel.Information, "{Kind} {Id} begins, at step {Step}")]
    private static partial void LogStarted(ILogger logger, OperationKind kind, string id, long step);

    [LoggerMessage(1302, LogLevel.Information, "{Kind} {Id} has ended: {Results}")]
    private static partial void LogEnded(ILogger logger, OperationKind kind, string id, string results);

    [LoggerMessage(1303, LogLevel.Information, "{Kind} {Id} was cancelled")]
    private static partial void LogCancelled(ILogger logger, OperationKind kind, string id);

    [LoggerMessage(1304, LogLevel.Error, "{Kind} {Id} failed; start it again when the cause is mended: {Reason}")]
    private static partial void LogFailed(ILogger logger, OperationKind kind, string id, Exception? exception, string reason);

    [LoggerMessage(1305, LogLevel.Warning, "What operations there are cannot be read or written just now: {Reason}")]
    private static partial void LogCannotClaim(ILogger logger, string reason);
}
