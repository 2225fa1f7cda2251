using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Repositories.Maintenance;
using Granary.Protocol;

namespace Granary.Grains.GarbageCollection;

/// <summary>Removes unused blobs, referrers of deleted manifests, and untagged manifests from repositories.</summary>
internal sealed class RepositoryCollector(IGrainFactory grains, RepositoryProbe probe, CollectionThrottle throttle)
{
    /// <summary>Returns the steps of a repository: each removes some blobs and referrers.</summary>
    public SubjectStep Begin(string name, TimeSpan? grace, CollectionCounts counts, CancellationToken cancellationToken)
    {
        var repository = grains.GetGrain<IRepositoryMaintenanceGrain>(name);
        string? after = null;
        var manifests = 0;
        return async maxRows =>
        {
            var answer = await repository.Collect(new CollectLinks(maxRows, grace, after), cancellationToken);
            counts.Add(new CollectionCounts { BlobsUnlinked = answer.Unlinked.Length, ManifestsRemoved = answer.Manifests });
            manifests += answer.Manifests;
            if (!answer.More && manifests > 0)
            {
                // The manifests that are gone may have been the last users of blobs that these steps have passed: start again.
                (manifests, after) = (0, null);
                return new SubjectAnswer(More: true, Next: null);
            }

            after = answer.After;
            return new SubjectAnswer(answer.More, answer.Next);
        };
    }

    /// <summary>
    /// Returns for each repository whether a collection would remove anything. It reads rows, and activates no repository.
    /// </summary>
    public Task<bool[]> AreCollectableAsync(string[] names, CancellationToken cancellationToken) =>
        probe.AreCollectableAsync(Array.ConvertAll(names, RepositoryName.Parse), cancellationToken);

    /// <summary>
    /// Removes untagged manifests in passes over the repository until a pass finds none: an index that goes makes its children unreachable.
    /// </summary>
    public async Task CollectUntaggedAsync(
        RepositoryName name,
        DateTimeOffset pushedBefore,
        CollectionCounts counts,
        CancellationToken cancellationToken)
    {
        var repository = grains.GetGrain<IRepositoryMaintenanceGrain>(name.Value);
        while (await CollectUntaggedOnceAsync(repository, pushedBefore, cancellationToken) is > 0 and var removed)
        {
            counts.Add(new CollectionCounts { ManifestsRemoved = removed });
        }
    }

    private async Task<int> CollectUntaggedOnceAsync(
        IRepositoryMaintenanceGrain repository,
        DateTimeOffset pushedBefore,
        CancellationToken cancellationToken)
    {
        var removed = 0;
        Digest? after = null;
        do
        {
            var command = new CollectUntagged(pushedBefore, GarbageCollector.StepSize, after);
            var answer = await throttle.RunStepAsync(() => repository.CollectUntagged(command, cancellationToken), cancellationToken);
            removed += answer.Removed;
            after = answer.After;
        }
        while (after is not null);

        return removed;
    }
}
