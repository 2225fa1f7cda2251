using Granary.Protocol;
using Orleans.Concurrency;

namespace Granary.Grains.Interfaces.Repositories;

/// <summary>
/// Reads the rows of repositories without activating their grains. A collection with a grace period of its own looks at every scheduled
/// repository, and most have nothing to collect. Activating each of them would cost more than the rest of the collection, and would hold
/// memory until the activations are idle. Each silo has one, under key 0.
/// </summary>
/// <remarks>All methods throw <see cref="PartitionUnavailableException"/>. All are idempotent.</remarks>
[Alias("granary.repository-glance")]
public interface IRepositoryProbeGrain : IGrainWithIntegerKey
{
    /// <summary>
    /// Returns, for each repository in the order given, whether a collection might find something in it: an unused blob, a deleted
    /// manifest, a reference that is not released yet, or an empty repository that has to leave the catalog.
    /// </summary>
    /// <param name="repositories">The repositories.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("collectable")]
    Task<bool[]> AreCollectable([Immutable] RepositoryName[] repositories, CancellationToken cancellationToken);
}
