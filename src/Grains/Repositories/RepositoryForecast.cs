using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Repositories;

/// <summary>
/// Works out what a collection would take from one repository, by the rules of the collection, over committed rows and a set of what it has taken so far. It changes nothing and wakes no grain.
/// </summary>
/// <param name="rows">The repository's rows; read only.</param>
/// <param name="lifetimes">The graces.</param>
/// <param name="removesReferrers">Whether the referrers of a manifest that was deleted go with it.</param>
/// <param name="room">Returns false if there is no memory for another manifest or blob: the forecast then stops, and has counted too little.</param>
internal sealed class RepositoryForecast(Partition rows, LifetimeOptions lifetimes, bool removesReferrers, Func<bool> room)
{
    private readonly HashSet<Digest> _removed = [];

    // How many of the manifests that named each blob are removed.
    private readonly Dictionary<Digest, int> _endedUses = [];

    /// <summary>How many manifests would go.</summary>
    public int Manifests => _removed.Count;

    /// <summary>How often it took room.</summary>
    public int Remembered => _removed.Count + _endedUses.Count;

    /// <summary>Whether a collection would do what is counted here, and no more.</summary>
    public bool IsExact { get; private set; } = true;

    /// <summary>Removes manifests that nothing leads to, until there is none: an index that goes may set others free. In which order they are found makes no difference.</summary>
    public async Task RemoveUntaggedAsync(DateTimeOffset pushedBefore, CancellationToken cancellationToken)
    {
        var reach = new ManifestReach(rows, _removed);
        int before;
        do
        {
            before = _removed.Count;
            await foreach (var row in rows.ScanAsync(RepositoryRows.ManifestPrefix, after: null, cancellationToken))
            {
                var digest = Digest.Parse(row.Key[RepositoryRows.ManifestPrefix.Length..]);
                if (!_removed.Contains(digest) && await reach.IsUnreachableAsync(digest, ManifestRow.Decode(row.Value), pushedBefore, cancellationToken))
                {
                    await RemoveAsync(digest, cancellationToken);
                }
            }
        }
        while (_removed.Count > before);
    }

    /// <summary>Removes the referrers of manifests that were deleted, and then yields the blobs that no manifest has used for the grace.</summary>
    /// <param name="now">When the collection would run.</param>
    /// <param name="grace">The grace that was asked for; null for the setting.</param>
    /// <param name="cancellationToken">Ends the walk.</param>
    public async IAsyncEnumerable<UnlinkedBlob> CollectAsync(
        DateTimeOffset now,
        TimeSpan? grace,
        [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        // :: Step 1: referrers. Only those that were free before this step: whether one that an index of this step names goes too depends on how the steps fall.
        await RemoveReferrersAsync(now, cancellationToken);

        // :: Step 2: blobs that are unused already.
        await foreach (var row in rows.ScanAsync(RepositoryRows.DuePrefix, after: null, cancellationToken))
        {
            var (due, digest, isSubject) = RepositoryRows.ParseDue(row.Key);
            if (due > now && grace is null)
            {
                break;
            }

            if (!isSubject && await FindAsync(digest, cancellationToken) is { } link && LinkRules.IsUnused(link, now, grace))
            {
                yield return new UnlinkedBlob(digest, link.Size);
            }
        }

        // :: Step 3: blobs that only removed manifests use. Their grace begins with the removal.
        if ((grace ?? lifetimes.LinkGrace) > TimeSpan.Zero)
        {
            yield break;
        }

        foreach (var (digest, ended) in _endedUses)
        {
            if (await FindAsync(digest, cancellationToken) is { Uses: > 0 } link && link.Uses <= ended)
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

        // What is removed now has a grace of its own before its referrers go; without any, they go now.
        var subjects = new Queue<Digest>(lifetimes.LinkGrace > TimeSpan.Zero ? [] : _removed);
        var (before, after) = (new ManifestReach(rows, _removed.ToHashSet()), new ManifestReach(rows, _removed));
        await foreach (var row in rows.ScanAsync(RepositoryRows.DuePrefix, after: null, cancellationToken))
        {
            var (due, digest, isSubject) = RepositoryRows.ParseDue(row.Key);
            if (due > now)
            {
                break;
            }

            if (isSubject)
            {
                await RemoveReferrersAsync(digest, before, after, subjects, cancellationToken);
            }
        }

        while (subjects.TryDequeue(out var subject))
        {
            await RemoveReferrersAsync(subject, before, after, subjects, cancellationToken);
        }
    }

    private async Task RemoveReferrersAsync(Digest subject, ManifestReach before, ManifestReach after, Queue<Digest> subjects, CancellationToken cancellationToken)
    {
        if (await after.IsHereAsync(subject, cancellationToken))
        {
            // Pushed again: its referrers stay.
            return;
        }

        await foreach (var row in rows.ScanAsync(RepositoryRows.SubPrefix(subject), after: null, cancellationToken))
        {
            var referrer = Digest.Parse(RepositoryRows.LastPart(row.Key));
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
        if (!room())
        {
            IsExact = false;
            return false;
        }

        var names = await rows.ReadAsync(
            [RepositoryRows.Manifest(manifest)],
            view => ManifestRow.Find(view, manifest) is { } row ? ManifestRules.Names(view, manifest, row) : null,
            cancellationToken);
        foreach (var named in names?.All ?? [])
        {
            // The manifest goes whether its blobs can be counted or not.
            if (_endedUses.ContainsKey(named) || room())
            {
                _endedUses[named] = _endedUses.GetValueOrDefault(named) + 1;
            }
            else
            {
                IsExact = false;
            }
        }

        return _removed.Add(manifest);
    }

    private ValueTask<LinkRow?> FindAsync(Digest digest, CancellationToken cancellationToken) =>
        rows.ReadAsync([RepositoryRows.Link(digest)], view => LinkRow.Find(view, digest), cancellationToken);
}
