using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Operations;

namespace Granary.Silo.Operations;

/// <summary>Refuses the backup of a storage account: the server copies data directories only.</summary>
internal sealed class NoBackup : IOperation
{
    /// <inheritdoc/>
    public OperationKind Kind => OperationKind.Backup;

    /// <inheritdoc/>
    public Task RunAsync(OperationRun run, CancellationToken cancellationToken) => throw new OperationFailedException(
        "This server keeps its data in a storage account, and 'granary backup' copies data directories only. Use the protection of the " +
        "account: soft delete of the container, and a lock against deletion.");
}
