using System.Runtime.CompilerServices;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Repositories.Maintenance;

/// <summary>
/// Forecasts what a collection would remove from one repository. It applies the rules of the collection to committed rows and to the set of
/// manifests that the forecast has removed so far. It changes no row and activates no grain.
/// </summary>
/// <param name="partition">The repository's rows. The forecast only reads them.</param>
/// <param name="lifetimes">The grace periods.</param>
/// <param name="removesReferrers">Whether a collection removes the referrers of deleted manifests.</param>
/// <param name="takeRoom">Takes memory for one more digest. Returns false if there is none; the counts are then too low.</param>
internal sealed class RepositoryForecast(Partition partition, LifetimeOptions lifetimes, bool removesReferrers, Func<bool> takeRoom)
{
    private readonly HashSet<Digest> _removed = [];

    // For each blob, how many of the manifests that name it are removed.
    private readonly Dictionary<Digest, int> _removedUses = [];

    /// <summary>How many manifests the collection would remove.</summary>
    public int Manifests => _removed.Count;

    /// <summary>How many digests the forecast has in memory: it has taken room so often.</summary>
    public int Remembered => _removed.Count + _removedUses.Count;

    /// <summary>Whether a collection would remove exactly what is counted; if false, it may remove more.</summary>
    public bool IsExact { get; private set; } = true;

    /// <summary>
    /// Removes untagged manifests until there are none: without an index, the manifests that it names may be untagged too. The order does
    /// not change the result.
    /// </summary>
    public async Task RemoveUntaggedAsync(DateTimeOffset pushedBefore, CancellationToken cancellationToken)
    {
        var reach = new ManifestReach(partition, _removed);
        int before;
        do
        {
            before = _removed.Count;
            await foreach (var row in partition.ScanAsync(RepositoryRows.ManifestPrefix, after: null, cancellationToken))
            {
                var digest = RepositoryRows.LastDigest(row.Key);
                if (!_removed.Contains(digest)
                    && await reach.IsUnreachableAsync(digest, ManifestRow.Decode(row.Value), pushedBefore, cancellationToken))
                {
                    await RemoveAsync(digest, cancellationToken);
                }
            }
        }
        while (_removed.Count > before);
    }

    /// <summary>Removes the referrers of deleted manifests, and then returns the blobs that were unused for the grace period.</summary>
    /// <param name="now">The time of the collection.</param>
    /// <param name="grace">The grace period of the collection; null for the setting.</param>
    /// <param name="cancellationToken">Ends the forecast.</param>
    public async IAsyncEnumerable<UnlinkedBlob> CollectAsync(
        DateTimeOffset now,
        TimeSpan? grace,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // :: Step 1: referrers. Whether a referrer that an index of this step names is removed too depends on the sizes of the collection's
        // steps, so only those count that nothing named before.
        await RemoveReferrersAsync(now, cancellationToken);

        // :: Step 2: blobs that are unused now.
        await foreach (var row in partition.ScanAsync(RepositoryRows.DuePrefix, after: null, cancellationToken))
        {
            var (due, kind, digest) = RepositoryRows.ParseDue(row.Key);
            if (due > now && grace is null)
            {
                break;
            }

            if (kind == DueKind.Link && await FindAsync(digest, cancellationToken) is { } link && LinkRules.IsUnused(link, now, grace))
            {
                yield return new UnlinkedBlob(digest, link.Size);
            }
        }

        // :: Step 3: blobs that only removed manifests name. Their grace period begins with the removal.
        if ((grace ?? lifetimes.LinkGrace) > TimeSpan.Zero)
        {
            yield break;
        }

        foreach (var (digest, removed) in _removedUses)
        {
            if (await FindAsync(digest, cancellationToken) is { Uses: > 0 } link && link.Uses <= removed)
            {
                yield return new UnlinkedBlob(digest, link.Size);
            }
        }
    }

    private async Task RemoveReferrersAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (!removesReferrers)
        {
            return;
        }

        // A manifest that is removed now has a grace period before its referrers are due. Without a grace period they are due now.
        var subjects = new Queue<Digest>(lifetimes.LinkGrace > TimeSpan.Zero ? [] : _removed);
        var (before, after) = (new ManifestReach(partition, _removed.ToHashSet()), new ManifestReach(partition, _removed));
        await foreach (var row in partition.ScanAsync(RepositoryRows.DuePrefix, after: null, cancellationToken))
        {
            var (due, kind, digest) = RepositoryRows.ParseDue(row.Key);
            if (due > now)
            {
                break;
            }

            if (kind == DueKind.Subject)
            {
                await RemoveReferrersAsync(digest, before, after, subjects, cancellationToken);
            }
        }

        while (subjects.TryDequeue(out var subject))
        {
            await RemoveReferrersAsync(subject, before, after, subjects, cancellationToken);
        }
    }

    private async Task RemoveReferrersAsync(
        Digest subject,
        ManifestReach before,
        ManifestReach after,
        Queue<Digest> subjects,
        CancellationToken cancellationToken)
    {
        if (await after.ExistsAsync(subject, cancellationToken))
        {
            // A client has pushed the subject again, so its referrers stay.
            return;
        }

        await foreach (var row in partition.ScanAsync(RepositoryRows.SubPrefix(subject), after: null, cancellationToken))
        {
            var referrer = RepositoryRows.LastDigest(row.Key);
            if (_removed.Contains(referrer))
            {
                continue;
            }

            if (await before.IsNamedAsync(referrer, cancellationToken))
            {
                IsExact &= await after.IsNamedAsync(referrer, cancellationToken);
            }
            else if (await RemoveAsync(referrer, cancellationToken) && lifetimes.LinkGrace <= TimeSpan.Zero)
            {
                subjects.Enqueue(referrer);
            }
        }
    }

    private async Task<bool> RemoveAsync(Digest manifest, CancellationToken cancellationToken)
    {
        if (!takeRoom())
        {
            IsExact = false;
            return false;
        }

        var names = await partition.ReadAsync(
            [RepositoryRows.Manifest(manifest)],
            rows => ManifestRow.Find(rows, manifest) is { } row ? ManifestRules.Names(rows, manifest, row) : null,
            cancellationToken);
        foreach (var named in names?.All ?? [])
        {
            // Without room for a blob the manifest is removed all the same, and the count of blobs is too low.
            if (_removedUses.ContainsKey(named) || takeRoom())
            {
                _removedUses[named] = _removedUses.GetValueOrDefault(named) + 1;
            }
            else
            {
                IsExact = false;
            }
        }

        return _removed.Add(manifest);
    }

    private ValueTask<LinkRow?> FindAsync(Digest digest, CancellationToken cancellationToken) =>
        partition.ReadAsync([RepositoryRows.Link(digest)], rows => LinkRow.Find(rows, digest), cancellationToken);
}
