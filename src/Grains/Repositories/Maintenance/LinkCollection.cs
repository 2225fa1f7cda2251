using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories.History;
using Granary.Protocol;

namespace Granary.Grains.Repositories.Maintenance;

/// <summary>
/// Collects the unused blobs of a repository, and the referrers of its deleted manifests, in the order of their <c>due/</c> rows.
/// </summary>
internal sealed class LinkCollection(
    Partition partition,
    LinkGuard guard,
    CatalogRegistration catalog,
    SweepSchedule schedule,
    ReleaseQueue releases,
    LogRetention retention,
    LifetimeOptions lifetimes,
    CollectionOptions options)
{
    private readonly ManifestReach _reach = new(partition, new HashSet<Digest>());

    /// <inheritdoc cref="IRepositoryMaintenanceGrain.Collect"/>
    public async Task<CollectAnswer> CollectAsync(CollectLinks command, Change change, CancellationToken cancellationToken)
    {
        // :: Step 1: find what is due, and when the next entry is.
        var now = change.Time;
        var due = await FindDueAsync(command, now, cancellationToken);

        // :: Step 2: remove in one commit what is still unused.
        string[] needs =
        [
            RepositoryRows.Meta,
            .. due.Links.Select(RepositoryRows.Link),
            .. due.Subjects.Count > 0 ? [LogRows.History] : Array.Empty<string>(),
        ];
        var answer = await partition.DecideAsync(needs, batch => Remove(batch, due, change, command.Grace), cancellationToken);
        var hasMoreLines = due.HasLog && await retention.TrimAsync(now, cancellationToken);

        // :: Step 3: release the references, also those that are left from before: only then can the shard delete the bytes.
        await releases.DrainAsync();
        if (due.More || hasMoreLines)
        {
            return answer with { More = true, After = hasMoreLines ? command.After : due.Last };
        }

        // :: Step 4: after the last step, end the schedule if nothing is due, and leave the catalog if the repository is empty. A
        // collection with a grace period of its own looks at all repositories. It leaves their schedules alone, so that it commits nothing
        // in most of them.
        var isOver = command.Grace is not null && !(options.RemoveEmpty && await catalog.IsEmptyAsync(cancellationToken));
        return isOver ? answer : answer with { Next = due.Next ?? await FinishAsync(change, cancellationToken) };
    }

    private async Task<DueEntries> FindDueAsync(CollectLinks command, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var found = new DueEntries { Last = command.After };
        var seen = 0;
        await foreach (var row in partition.ScanAsync(RepositoryRows.DuePrefix, command.After, cancellationToken))
        {
            var (due, kind, digest) = RepositoryRows.ParseDue(row.Key);

            // The rows are ordered by the grace period of the settings, so with another one every link has to be looked at.
            if (due > now && command.Grace is null)
            {
                found.Next = kind == DueKind.Log ? null : due;
                break;
            }

            if (kind == DueKind.Link)
            {
                found.Links.Add(digest);
            }
            else if (kind == DueKind.Log)
            {
                found.HasLog = LogRules.IsDue(due, now, retention.Length);
            }
            else if (due <= now)
            {
                found.Subjects.Add(await FindReferrersAsync(row.Key, digest, command.Limit, cancellationToken));
            }

            // If a subject has more referrers than one step removes, the next step begins at its row again.
            found.More = ++seen == command.Limit || found.Subjects is [.., { More: true }];
            if (found.More)
            {
                break;
            }

            found.Last = row.Key;
        }

        return found;
    }

    private async Task<DeletedSubject> FindReferrersAsync(string key, Digest subject, int limit, CancellationToken cancellationToken)
    {
        var referrers = new List<Digest>();
        if (!options.Referrers)
        {
            return new DeletedSubject(key, subject, referrers, More: false);
        }

        await foreach (var row in partition.ScanAsync(RepositoryRows.SubPrefix(subject), after: null, cancellationToken))
        {
            var referrer = RepositoryRows.LastDigest(row.Key);
            if (await _reach.IsNamedAsync(referrer, cancellationToken))
            {
                continue;
            }

            if (referrers.Count == limit)
            {
                return new DeletedSubject(key, subject, referrers, More: true);
            }

            referrers.Add(referrer);
        }

        return new DeletedSubject(key, subject, referrers, More: false);
    }

    private CollectAnswer Remove(RowBatch batch, DueEntries due, Change change, TimeSpan? grace)
    {
        var unlinked = CollectionRules.UnlinkUnused(batch, due.Links, change.Time, grace);
        foreach (var blob in unlinked)
        {
            guard.Deny(blob.Digest.Value, batch.Version);
        }

        var manifests = due.Subjects.Sum(subject => CollectionRules.RemoveReferrers(batch, subject, change, lifetimes));
        return new CollectAnswer([.. unlinked], manifests, More: false, After: null, Next: null);
    }

    /// <summary>
    /// Returns when the next entry is due. If there is none but that of the log, ends the registration in the schedule. Removes an empty
    /// repository from the catalog.
    /// </summary>
    private async Task<DateTimeOffset?> FinishAsync(Change change, CancellationToken cancellationToken)
    {
        var (first, more) = await partition.ListAsync(
            RepositoryRows.DuePrefix,
            after: null,
            limit: 1,
            key => RepositoryRows.ParseDue(RepositoryRows.DuePrefix + key),
            cancellationToken);
        if (first is [var due] && (more || due.Kind != DueKind.Log))
        {
            return due.Time;
        }

        var mayLeave = options.RemoveEmpty && await catalog.IsEmptyAsync(cancellationToken);
        var next = await partition.DecideAsync(
            [RepositoryRows.Sweep, RepositoryRows.Meta, LogRows.History],
            batch => Finish(batch, mayLeave, change),
            cancellationToken);
        await releases.DrainAsync();
        return next;
    }

    private DateTimeOffset? Finish(RowBatch batch, bool mayLeave, Change change)
    {
        // The line that says so may need the registration in the schedule.
        if (mayLeave && (batch.Has(RepositoryRows.Sweep) || !LogRules.NeedsSchedule(batch, change)))
        {
            catalog.UnregisterIfEmpty(batch, change);
        }

        // The scan finds few rows: a moment ago there was none, or only that of the log.
        DueRow[] due = [.. batch.Scan(RepositoryRows.DuePrefix).Select(row => RepositoryRows.ParseDue(row.Key))];
        if (due is [] or [{ Kind: DueKind.Log }])
        {
            // The log is due in months. With the registration, no entry would be made for a blob that is due before that.
            schedule.Unregister(batch);
        }

        return due is [var first, ..] ? first.Time : null;
    }

    /// <summary>The entries that one step looks at.</summary>
    private sealed class DueEntries
    {
        public List<Digest> Links { get; } = [];

        public List<DeletedSubject> Subjects { get; } = [];

        /// <summary>Whether the log may have lines that are too old.</summary>
        public bool HasLog { get; set; }

        /// <summary>Whether the step ends before the last due entry.</summary>
        public bool More { get; set; }

        /// <summary>The key after which the next step begins.</summary>
        public string? Last { get; set; }

        /// <summary>When the first blob or subject that is not due yet will be due; null if the step has not seen one.</summary>
        public DateTimeOffset? Next { get; set; }
    }
}
