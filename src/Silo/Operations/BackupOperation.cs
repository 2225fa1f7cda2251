using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Operations;
using Granary.Storage;
using Granary.Storage.Data;

namespace Granary.Silo.Operations;

/// <summary>
/// Backs up the data directory while the server serves. After an interruption it starts over, and copies what is missing.
/// </summary>
internal sealed class BackupOperation(DataDirectory data) : IOperation
{
    /// <inheritdoc/>
    public OperationKind Kind => OperationKind.Backup;

    /// <inheritdoc/>
    public async Task RunAsync(OperationRun run, CancellationToken cancellationToken)
    {
        run.Restart();
        try
        {
            await foreach (var step in DataBackup.WriteAsync(data, run.Request.Directory!, cancellationToken))
            {
                run.Total = step.Total;
                run.Add("objects", 1);
                run.Add("bytes", step.Length);
                run.Add("copied", step.WasPresent ? 0 : 1);
                if (step.Fault is { } fault)
                {
                    run.Add("damaged", 1);
                    run.AddFinding(fault);
                }

                await run.CompleteStepAsync();
            }
        }
        catch (Exception e) when (e is DataDirectoryException or StorageException)
        {
            throw new OperationFailedException(e.Message);
        }
    }
}
