using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories.History;
using Granary.Protocol;

namespace Granary.Grains.Repositories.Maintenance;

/// <summary>Collects the untagged manifests of a repository.</summary>
internal sealed class UntaggedCollection(Partition partition, SweepSchedule schedule, LifetimeOptions lifetimes)
{
    private readonly ManifestReach _reach = new(partition, new HashSet<Digest>());

    /// <inheritdoc cref="IRepositoryMaintenanceGrain.CollectUntagged"/>
    public async Task<CollectUntaggedAnswer> CollectAsync(
        CollectUntagged command,
        Change change,
        CancellationToken cancellationToken)
    {
        // :: Step 1: find manifests that are old enough and not reachable.
        var untagged = new List<Digest>();
        var (seen, last) = (0, default(Digest?));
        var start = command.After is { } after ? RepositoryRows.Manifest(after) : null;
        await foreach (var row in partition.ScanAsync(RepositoryRows.ManifestPrefix, start, cancellationToken))
        {
            var digest = RepositoryRows.LastDigest(row.Key);
            if (await _reach.IsUnreachableAsync(digest, ManifestRow.Decode(row.Value), command.PushedBefore, cancellationToken))
            {
                untagged.Add(digest);
            }

            last = digest;
            if (++seen == command.Limit)
            {
                break;
            }
        }

        // :: Step 2: remove those that no tag and no manifest has named meanwhile.
        var removed = await RemoveAsync(untagged, command.PushedBefore, change, cancellationToken);
        return new CollectUntaggedAnswer(removed, seen == command.Limit ? last : null);
    }

    private async Task<int> RemoveAsync(
        List<Digest> untagged,
        DateTimeOffset before,
        Change change,
        CancellationToken cancellationToken)
    {
        if (untagged.Count == 0)
        {
            return 0;
        }

        return await schedule.DecideAsync(
            [RepositoryRows.Meta, LogRows.History, .. untagged.Select(RepositoryRows.Manifest)],
            batch => CollectionRules.RemoveUntagged(batch, untagged, before, change, lifetimes),
            cancellationToken);
    }
}
