using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Repositories.Maintenance;

/// <summary>
/// Finds out whether a manifest is reachable: a tag points at it, another manifest names it, or one of its referrers is reachable.
/// </summary>
/// <param name="partition">The repository's rows.</param>
/// <param name="removed">
/// Manifests that count as removed although they have rows: a forecast has removed them. The set may grow between calls.
/// </param>
internal sealed class ManifestReach(Partition partition, IReadOnlySet<Digest> removed)
{
    // Levels of referrers of referrers. No known tool makes so many; a deeper one counts as reachable, so that nothing is removed by
    // mistake.
    private const int MaxReferrerDepth = 8;

    /// <summary>
    /// Returns whether a manifest lost its last tag, or was pushed without one, before a time, is not reachable, and has no subject in the
    /// repository.
    /// </summary>
    public async ValueTask<bool> IsUnreachableAsync(
        Digest digest,
        ManifestRow manifest,
        DateTimeOffset pushedBefore,
        CancellationToken cancellationToken) =>
        manifest.Pushed < pushedBefore
        && await IsUntaggedSinceAsync(digest, manifest, pushedBefore, cancellationToken)
        && !(manifest.Subject is { } subject && await ExistsAsync(subject, cancellationToken))
        && !await IsReachableAsync(digest, depth: 0, cancellationToken);

    /// <summary>Returns whether the repository has a manifest.</summary>
    public async ValueTask<bool> ExistsAsync(Digest digest, CancellationToken cancellationToken)
    {
        var key = RepositoryRows.Manifest(digest);
        return !removed.Contains(digest) && await partition.ReadAsync([key], rows => rows.Has(key), cancellationToken);
    }

    /// <summary>Returns whether a tag points at a manifest, or another manifest names it.</summary>
    public ValueTask<bool> IsNamedAsync(Digest digest, CancellationToken cancellationToken) => partition.ReadAsync(
        [],
        rows => removed.Count == 0
            ? ManifestRules.IsNamed(rows, digest)
            : ManifestRules.IsTagged(rows, digest)
                || rows.Scan(RepositoryRows.UsePrefix(digest)).Any(use => !removed.Contains(RepositoryRows.LastDigest(use.Key))),
        cancellationToken);

    private ValueTask<bool> IsUntaggedSinceAsync(
        Digest digest,
        ManifestRow manifest,
        DateTimeOffset before,
        CancellationToken cancellationToken) => partition.ReadAsync(
            [],
            rows => ManifestRules.UntaggedSince(rows, digest, manifest) < before,
            cancellationToken);

    private async Task<bool> IsReachableAsync(Digest digest, int depth, CancellationToken cancellationToken)
    {
        if (await IsNamedAsync(digest, cancellationToken) || depth == MaxReferrerDepth)
        {
            return true;
        }

        await foreach (var row in partition.ScanAsync(RepositoryRows.SubPrefix(digest), after: null, cancellationToken))
        {
            var referrer = RepositoryRows.LastDigest(row.Key);
            if (!removed.Contains(referrer) && await IsReachableAsync(referrer, depth + 1, cancellationToken))
            {
                return true;
            }
        }

        return false;
    }
}
