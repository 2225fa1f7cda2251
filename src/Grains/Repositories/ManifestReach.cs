using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Repositories;

/// <summary>Finds out whether anything leads to a manifest of a repository: a tag, an index, or a referrer to which something leads.</summary>
/// <param name="rows">The repository's rows.</param>
/// <param name="removed">Manifests that count as removed although their rows are there: those that a forecast has removed. The set may grow between two questions.</param>
internal sealed class ManifestReach(Partition rows, IReadOnlySet<Digest> removed)
{
    // Referrers of referrers of … : deeper than any tool makes.
    private const int MaxReferrerDepth = 8;

    /// <summary>Returns whether a manifest is older than an age, and nothing leads to it.</summary>
    public async ValueTask<bool> IsUnreachableAsync(Digest digest, ManifestRow manifest, DateTimeOffset pushedBefore, CancellationToken cancellationToken) =>
        manifest.Pushed < pushedBefore
        && !(manifest.Subject is { } subject && await IsHereAsync(subject, cancellationToken))
        && !await IsLedToAsync(digest, depth: 0, cancellationToken);

    /// <summary>Returns whether the repository has a manifest.</summary>
    public async ValueTask<bool> IsHereAsync(Digest digest, CancellationToken cancellationToken) =>
        !removed.Contains(digest)
        && await rows.ReadAsync([RepositoryRows.Manifest(digest)], view => view.Has(RepositoryRows.Manifest(digest)), cancellationToken);

    /// <summary>Returns whether a tag points at a manifest, or another manifest names it.</summary>
    public ValueTask<bool> IsNamedAsync(Digest digest, CancellationToken cancellationToken) => rows.ReadAsync(
        [],
        view => removed.Count == 0
            ? ManifestRules.IsNamed(view, digest)
            : view.Scan(RepositoryRows.TaggedPrefix(digest)).Count > 0
                || view.Scan(RepositoryRows.UsePrefix(digest)).Any(use => !removed.Contains(Digest.Parse(RepositoryRows.LastPart(use.Key)))),
        cancellationToken);

    private async Task<bool> IsLedToAsync(Digest digest, int depth, CancellationToken cancellationToken)
    {
        if (await IsNamedAsync(digest, cancellationToken) || depth == MaxReferrerDepth)
        {
            return true;
        }

        await foreach (var row in rows.ScanAsync(RepositoryRows.SubPrefix(digest), after: null, cancellationToken))
        {
            var referrer = Digest.Parse(RepositoryRows.LastPart(row.Key));
            if (!removed.Contains(referrer) && await IsLedToAsync(referrer, depth + 1, cancellationToken))
            {
                return true;
            }
        }

        return false;
    }
}
