using Granary.Grains.Interfaces.Operations;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Operations;

namespace Granary.Grains.Repositories;

/// <summary>
/// The operation that deletes a repository with its tags, manifests and links. Later collections delete its blobs, unless other
/// repositories refer to them.
/// </summary>
public sealed class DeletionOperation(IGrainFactory grains, CommandOrders orders) : IOperation
{
    private const int StepSize = 100;

    /// <inheritdoc/>
    public OperationKind Kind => OperationKind.Deletion;

    /// <inheritdoc/>
    public async Task RunAsync(OperationRun run, CancellationToken cancellationToken)
    {
        var repository = grains.GetGrain<IRepositoryMaintenanceGrain>(run.Request.Repository!);
        var command = new ClearRepository(StepSize) { Origin = run.Request.Origin ?? CommandOrigin.OfRegistry(ChangeCause.Delete) };
        while (await ClearAsync(repository, command, cancellationToken) is > 0 and var removed)
        {
            run.Add("removed", removed);
            await run.CompleteStepAsync();
        }
    }

    private async Task<int> ClearAsync(
        IRepositoryMaintenanceGrain repository,
        ClearRepository command,
        CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                return await repository.Clear(orders.Next(command), cancellationToken);
            }
            catch (ReorderException e)
            {
                // The clock of a gateway is ahead of this one. The next attempt is above the rows that are removed.
                orders.Raise(e.Highest);
            }
        }
    }
}
