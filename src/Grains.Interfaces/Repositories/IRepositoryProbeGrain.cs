using Granary.Protocol;
using Orleans.Concurrency;

namespace Granary.Grains.Interfaces.Repositories;

/// <summary>
/// Looks at the rows of repositories without waking their grains. Who collects with a grace of their own has to look at every repository that is scheduled, and most of them have nothing to
/// collect: an activation for each would cost more than all else, and its memory until it is idle. There is one in each silo that is asked, with the key 0.
/// </summary>
/// <remarks>All methods throw <see cref="PartitionUnavailableException"/>; all may be repeated.</remarks>
[Alias("granary.repository-glance")]
public interface IRepositoryProbeGrain : IGrainWithIntegerKey
{
    /// <summary>
    /// Whether a collection of each repository might find something as of some moment during the call: a blob that no manifest uses, a manifest that was deleted, a reference that is not released
    /// yet, or nothing at all any more, so that it leaves the catalog. In the order of <paramref name="repositories"/>.
    /// </summary>
    /// <param name="repositories">The repositories.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("collectable")]
    Task<bool[]> AreCollectable([Immutable] RepositoryName[] repositories, CancellationToken cancellationToken);
}
