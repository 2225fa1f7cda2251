using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Repositories;

/// <summary>The repository grain's side of collection, scrub and administration (<see cref="IRepositoryMaintenanceGrain"/>). It lives in the turns of its grain.</summary>
internal sealed class RepositoryMaintenance(
    Partition rows,
    RepositoryName name,
    LinkGuard guard,
    ReleaseQueue releases,
    SweepSchedule schedule,
    IGrainFactory grains,
    LifetimeOptions lifetimes,
    CollectionOptions options,
    TimeProvider time)
{
    // Named in an explanation; more would not help who reads it.
    private const int NamedRows = 20;

    // So many manifests are searched before the grain's other messages have their turn.
    private const int SeenInOneTurn = 256;

    private readonly ManifestReach _reach = new(rows, new HashSet<Digest>());

    /// <inheritdoc cref="IRepositoryMaintenanceGrain.Holds"/>
    public async Task<bool[]> HoldsAsync(Digest[] digests, CancellationToken cancellationToken)
    {
        string[] needs = [.. digests.Select(RepositoryRows.Link)];
        var held = await rows.ReadAsync(needs, view => Array.ConvertAll(digests, digest => view.Has(RepositoryRows.Link(digest))), cancellationToken);
        if (!held.Contains(value: false))
        {
            return held;
        }

        // Each no is decided again in the loop, and costs a commit, though an empty one: a stuck activation that still believes in a link
        // finds out that it is stale (fence), and a link that is on its way is refused (guard).
        return await rows.DecideAsync(needs, batch => Array.ConvertAll(digests, digest => batch.Has(RepositoryRows.Link(digest)) || Deny(batch, digest.Value)), cancellationToken);
    }

    /// <inheritdoc cref="IRepositoryMaintenanceGrain.Exists"/>
    public async Task<bool> ExistsAsync(CancellationToken cancellationToken)
    {
        var mayLeave = options.RemoveEmpty && await IsEmptyAsync(cancellationToken);
        var exists = await rows.DecideAsync(
            [RepositoryRows.Meta],
            batch =>
            {
                if (mayLeave)
                {
                    Leave(batch);
                }

                return batch.Has(RepositoryRows.Meta) || Deny(batch, RepositoryRows.CatalogEntry);
            },
            cancellationToken);
        await releases.DrainAsync();
        return exists;
    }

    /// <inheritdoc cref="IRepositoryMaintenanceGrain.Collect"/>
    public async Task<CollectAnswer> CollectAsync(CollectLinks command, DateTimeOffset timestamp, CancellationToken cancellationToken)
    {
        // :: Step 1: which links and referrers may have to go, and when the next ones may.
        var now = time.GetUtcNow();
        var (links, subjects) = (new List<Digest>(), new List<GoneSubject>());
        var (seen, last, next) = (0, command.After, default(DateTimeOffset?));
        await foreach (var row in rows.ScanAsync(RepositoryRows.DuePrefix, command.After, cancellationToken))
        {
            var (due, digest, isSubject) = RepositoryRows.ParseDue(row.Key);

            // They are in the order of their due times, which another grace than that of the setting does not follow.
            if (due > now && command.Grace is null)
            {
                next = due;
                break;
            }

            if (!isSubject)
            {
                links.Add(digest);
            }
            else if (due <= now)
            {
                subjects.Add(await FindReferrersAsync(row.Key, digest, command.Limit, cancellationToken));
            }

            // The rest of a subject's referrers is the next step's, which sees its row again.
            if (++seen == command.Limit || subjects is [.., { More: true }])
            {
                break;
            }

            last = row.Key;
        }

        // :: Step 2: those that still have to, in one commit.
        string[] needs = [.. links.Select(RepositoryRows.Link)];
        var answer = await rows.DecideAsync(needs, batch => Unlink(batch, links, subjects, now, timestamp, command.Grace), cancellationToken);

        // Bytes go after their references: whoever collects wants them gone, not just announced. Also what waits from before.
        await releases.DrainAsync();
        if (seen == command.Limit || subjects is [.., { More: true }])
        {
            return answer with { More = true, After = last };
        }

        // :: Step 3: at the end, nobody needs to look any more if nothing waits, and what is empty leaves.
        //    Who looks with a grace of its own looks at all repositories, and leaves the schedule as it is: that most of them have nothing to do costs no commit.
        var isOver = command.Grace is not null && !(options.RemoveEmpty && await IsEmptyAsync(cancellationToken));
        return isOver ? answer : answer with { Next = next ?? await FinishAsync(cancellationToken) };
    }

    /// <inheritdoc cref="IRepositoryMaintenanceGrain.CollectUntagged"/>
    public async Task<CollectUntaggedAnswer> CollectUntaggedAsync(CollectUntagged command, DateTimeOffset timestamp, CancellationToken cancellationToken)
    {
        // :: Step 1: what is old enough, and nothing leads to it.
        var garbage = new List<Digest>();
        var (seen, last) = (0, default(Digest?));
        await foreach (var row in rows.ScanAsync(RepositoryRows.ManifestPrefix, command.After is { } after ? RepositoryRows.Manifest(after) : null, cancellationToken))
        {
            var digest = Digest.Parse(row.Key[RepositoryRows.ManifestPrefix.Length..]);
            var manifest = ManifestRow.Decode(row.Value);
            if (await _reach.IsUnreachableAsync(digest, manifest, command.PushedBefore, cancellationToken))
            {
                garbage.Add(digest);
            }

            last = digest;
            if (++seen == command.Limit)
            {
                break;
            }
        }

        // :: Step 2: it goes, unless somebody has tagged or named it meanwhile.
        var removed = garbage.Count;
        if (garbage.Count > 0)
        {
            removed = await schedule.DecideAsync(
                [.. garbage.Select(RepositoryRows.Manifest)],
                batch => garbage.Count(digest => !ManifestRules.IsNamed(batch, digest) && Remove(batch, digest, timestamp)),
                cancellationToken);
        }

        return new CollectUntaggedAnswer(removed, seen == command.Limit ? last : null);
    }

    /// <inheritdoc cref="IRepositoryMaintenanceGrain.Clear"/>
    public async Task<int> ClearAsync(int limit, DateTimeOffset timestamp, CancellationToken cancellationToken)
    {
        // :: Step 1: manifests with their tags, then blobs.
        var manifests = await FirstAsync(RepositoryRows.ManifestPrefix, limit, cancellationToken);
        var links = manifests.Count > 0 ? [] : await FirstAsync(RepositoryRows.LinkPrefix, limit, cancellationToken);
        if (manifests.Count + links.Count == 0)
        {
            await ForgetAsync(limit, cancellationToken);
            return 0;
        }

        var removed = await schedule.DecideAsync(
            [],
            batch =>
            {
                var count = manifests.Count(key => Remove(batch, Digest.Parse(key[RepositoryRows.ManifestPrefix.Length..]), timestamp));
                foreach (var key in links)
                {
                    var digest = Digest.Parse(key[RepositoryRows.LinkPrefix.Length..]);
                    if (LinkRow.Find(batch, digest) is { } link)
                    {
                        UnlinkOne(batch, digest, link);
                        count++;
                    }
                }

                return count;
            },
            cancellationToken);
        await releases.DrainAsync();
        // Somebody else may have been as fast: look again.
        return Math.Max(removed, 1);
    }

    /// <inheritdoc cref="IRepositoryMaintenanceGrain.Explain"/>
    public async Task<RepositoryExplanation> ExplainAsync(Digest digest, CancellationToken cancellationToken)
    {
        var tags = await FirstAsync(RepositoryRows.TaggedPrefix(digest), NamedRows, cancellationToken);
        var users = await FindUsersAsync(digest, NamedRows, long.MaxValue, cancellationToken);
        var referrers = await FirstAsync(RepositoryRows.SubPrefix(digest), NamedRows, cancellationToken);
        return await rows.ReadAsync(
            [RepositoryRows.Manifest(digest), RepositoryRows.Link(digest)],
            view =>
            {
                var manifest = ManifestRow.Find(view, digest);
                var link = LinkRow.Find(view, digest);
                return new RepositoryExplanation
                {
                    Pushed = manifest?.Pushed,
                    Tags = [.. tags.Select(key => Tag.Parse(RepositoryRows.LastPart(key)))],
                    UsedBy = [.. users],
                    Subject = manifest?.Subject,
                    IsSubjectHere = manifest?.Subject is { } subject && view.Has(RepositoryRows.Manifest(subject)),
                    Referrers = [.. referrers.Select(key => Digest.Parse(RepositoryRows.LastPart(key)))],
                    BlobSize = link?.Size,
                    Uses = link?.Uses ?? 0,
                    Renewed = link?.Renewed,
                    Due = link?.Due,
                    IsDamaged = link?.IsDamaged ?? false,
                };
            },
            cancellationToken);
    }

    /// <summary>Manifests that name some content: at most <paramref name="limit"/>, among the first <paramref name="searched"/> of the repository.</summary>
    public async Task<List<Digest>> FindUsersAsync(Digest digest, int limit, long searched, CancellationToken cancellationToken)
    {
        var (users, seen) = (new List<Digest>(), 0L);
        await foreach (var row in rows.ScanAsync(RepositoryRows.ManifestPrefix, after: null, cancellationToken))
        {
            var manifest = Digest.Parse(row.Key[RepositoryRows.ManifestPrefix.Length..]);
            if (await DoesNameAsync(manifest, row.Value, digest, cancellationToken))
            {
                users.Add(manifest);
            }

            if (users.Count == limit || ++seen == searched)
            {
                break;
            }

            if (seen % SeenInOneTurn == 0)
            {
                await Task.Yield();
            }
        }

        return users;
    }

    /// <inheritdoc cref="IRepositoryMaintenanceGrain.ListLinks"/>
    public async Task<LinkedBlob[]> ListLinksAsync(Digest? after, int limit, CancellationToken cancellationToken)
    {
        var links = new List<LinkedBlob>();
        await foreach (var row in rows.ScanAsync(RepositoryRows.LinkPrefix, after is { } last ? RepositoryRows.Link(last) : null, cancellationToken))
        {
            var link = LinkRow.Decode(row.Value);
            links.Add(new LinkedBlob(Digest.Parse(row.Key[RepositoryRows.LinkPrefix.Length..]), link.Object, link.Size));
            if (links.Count == limit)
            {
                break;
            }
        }

        return [.. links];
    }

    /// <inheritdoc cref="IRepositoryMaintenanceGrain.CheckManifests"/>
    public async Task<CheckManifestsAnswer> CheckManifestsAsync(Digest? after, int limit, CancellationToken cancellationToken)
    {
        var (damaged, seen, last) = (new List<Digest>(), 0, default(Digest?));
        await foreach (var row in rows.ScanAsync(RepositoryRows.ManifestPrefix, after is { } start ? RepositoryRows.Manifest(start) : null, cancellationToken))
        {
            var digest = Digest.Parse(row.Key[RepositoryRows.ManifestPrefix.Length..]);
            if (!await IsWholeAsync(digest, row.Value, cancellationToken))
            {
                damaged.Add(digest);
            }

            last = digest;
            if (++seen == limit)
            {
                break;
            }
        }

        return new CheckManifestsAnswer(seen, [.. damaged], seen == limit ? last : null);
    }

    /// <inheritdoc cref="IRepositoryMaintenanceGrain.Correct"/>
    public Task CorrectAsync(Digest digest, BlobContent content, bool isDamaged, CancellationToken cancellationToken) => rows.DecideAsync(
        [RepositoryRows.Link(digest)],

        // A link that is on its way with the content of before has to come again.
        batch => LinkRules.Correct(batch, digest, content, isDamaged) || Deny(batch, digest.Value),
        cancellationToken);

    /// <inheritdoc cref="IRepositoryMaintenanceGrain.RestoreReference"/>
    public async Task<bool> RestoreReferenceAsync(Digest digest, CancellationToken cancellationToken)
    {
        var content = await rows.ReadAsync([RepositoryRows.Link(digest), RepositoryRows.Bytes(digest)], view => LinkRules.Content(view, digest), cancellationToken);
        if (content is null)
        {
            return false;
        }

        // As rule 3 does it; that the link is there already takes nothing from it: an unlink from now on has a later version.
        var command = new AcquireBlob(digest, content, name, rows.NextVersion, DateTimeOffset.MaxValue);
        var answer = await grains.GetGrain<IBlobShardGrain>(digest.FirstByte).Acquire(command, cancellationToken);
        if (answer is Acquired { DependsOn: { } ticket })
        {
            await rows.DecideAsync([], _ => true, dependsOn: [ticket], cancellationToken);
        }

        if (answer is Acquired { Content: ObjectContent counts } && counts != content)
        {
            await CorrectAsync(digest, counts, isDamaged: false, cancellationToken);
        }

        return answer is Acquired;
    }

    /// <summary>Removes what says what was here, and takes the repository out of the catalog.</summary>
    private async Task ForgetAsync(int limit, CancellationToken cancellationToken)
    {
        while (await FirstAsync(RepositoryRows.HistoryPrefix, limit, cancellationToken) is { Count: > 0 } keys)
        {
            await rows.DecideAsync(keys, batch => DeleteAll(batch, keys.Where(batch.Has)), cancellationToken);
        }

        if (await IsEmptyAsync(cancellationToken))
        {
            await rows.DecideAsync([RepositoryRows.Meta], Leave, cancellationToken);
            await releases.DrainAsync();
        }
    }

    private async Task<bool> IsWholeAsync(Digest digest, ReadOnlyMemory<byte> row, CancellationToken cancellationToken)
    {
        try
        {
            var manifest = ManifestRow.Decode(row);
            string[] needs = [.. manifest.Rest(digest)];

            // One that was deleted meanwhile is no fault.
            return await rows.ReadAsync(
                [RepositoryRows.Manifest(digest), .. needs],
                view => !view.Has(RepositoryRows.Manifest(digest)) || (needs.All(view.Has) && ManifestRules.IsWhole(view, digest, manifest)),
                cancellationToken);
        }
        catch (Exception e) when (IsDamage(e))
        {
            return false;
        }
    }

    /// <summary>Whether a manifest names some content; of one that cannot be read nobody knows, and the scrub tells of it.</summary>
    private async ValueTask<bool> DoesNameAsync(Digest manifest, ReadOnlyMemory<byte> row, Digest content, CancellationToken cancellationToken)
    {
        try
        {
            return await rows.ReadAsync([], view => ManifestRules.DoesName(view, manifest, row, content), cancellationToken);
        }
        catch (Exception e) when (IsDamage(e))
        {
            return false;
        }
    }

    private static bool IsDamage(Exception exception) => exception is FormatException or ArgumentException or OverflowException;

    private CollectAnswer Unlink(RowBatch batch, List<Digest> links, List<GoneSubject> subjects, DateTimeOffset now, DateTimeOffset timestamp, TimeSpan? grace)
    {
        var unlinked = new List<UnlinkedBlob>();
        foreach (var digest in links)
        {
            if (LinkRow.Find(batch, digest) is { } link && LinkRules.IsUnused(link, now, grace))
            {
                UnlinkOne(batch, digest, link);
                unlinked.Add(new UnlinkedBlob(digest, link.Size));
            }
        }

        var manifests = 0;
        foreach (var subject in subjects)
        {
            // Pushed again: its referrers stay.
            var isBack = batch.Has(RepositoryRows.Manifest(subject.Digest));
            if (!isBack)
            {
                manifests += subject.Referrers.Count(referrer => !ManifestRules.IsNamed(batch, referrer) && Remove(batch, referrer, timestamp));
            }

            if ((isBack || !subject.More) && batch.Has(subject.Key))
            {
                batch.Delete(subject.Key);
            }
        }

        return new CollectAnswer([.. unlinked], manifests, More: false, After: null, Next: null);
    }

    /// <summary>The referrers of a manifest that has gone, as far as they are to go with it.</summary>
    private async Task<GoneSubject> FindReferrersAsync(string key, Digest subject, int limit, CancellationToken cancellationToken)
    {
        var referrers = new List<Digest>();
        if (options.Referrers)
        {
            await foreach (var row in rows.ScanAsync(RepositoryRows.SubPrefix(subject), after: null, cancellationToken))
            {
                var referrer = Digest.Parse(RepositoryRows.LastPart(row.Key));
                if (await _reach.IsNamedAsync(referrer, cancellationToken))
                {
                    continue;
                }

                if (referrers.Count == limit)
                {
                    return new GoneSubject(key, subject, referrers, More: true);
                }

                referrers.Add(referrer);
            }
        }

        return new GoneSubject(key, subject, referrers, More: false);
    }

    /// <summary>When the next thing is due; if nothing is, the schedule need not know the repository, and an empty one leaves the catalog.</summary>
    private async Task<DateTimeOffset?> FinishAsync(CancellationToken cancellationToken)
    {
        if (await FirstAsync(RepositoryRows.DuePrefix, 1, cancellationToken) is [var first])
        {
            return RepositoryRows.ParseDue(first).Time;
        }

        var mayLeave = options.RemoveEmpty && await IsEmptyAsync(cancellationToken);
        var next = await rows.DecideAsync(
            [RepositoryRows.Sweep, RepositoryRows.Meta],
            batch =>
            {
                // Few: none was there a moment ago.
                if (batch.Scan(RepositoryRows.DuePrefix) is [var due, ..])
                {
                    return due.Key;
                }

                schedule.End(batch);
                if (mayLeave)
                {
                    Leave(batch);
                }

                return null;
            },
            cancellationToken);
        await releases.DrainAsync();
        return next is null ? null : RepositoryRows.ParseDue(next).Time;
    }

    private async Task<bool> IsEmptyAsync(CancellationToken cancellationToken) =>
        await FirstAsync(RepositoryRows.ManifestPrefix, 1, cancellationToken) is []
        && await FirstAsync(RepositoryRows.LinkPrefix, 1, cancellationToken) is [];

    /// <summary>Takes an empty repository out of the catalog (rule 9).</summary>
    private bool Leave(RowBatch batch)
    {
        // Few: none was there a moment ago.
        if (batch.Has(RepositoryRows.Meta)
            && batch.Scan(RepositoryRows.ManifestPrefix).Count == 0
            && batch.Scan(RepositoryRows.LinkPrefix).Count == 0)
        {
            batch.Delete(RepositoryRows.Meta);
            batch.Put(RepositoryRows.Out(batch.Version, RepositoryRows.CatalogEntry), RepositoryRows.Mark);
            guard.Deny(RepositoryRows.CatalogEntry, batch.Version);
        }

        return true;
    }

    /// <summary>Says no, for ever: commits, and refuses what was acquired before.</summary>
    private bool Deny(RowBatch batch, string what)
    {
        guard.Deny(what, batch.Version);
        batch.Fence();
        return false;
    }

    private void UnlinkOne(RowBatch batch, Digest digest, LinkRow link)
    {
        LinkRules.Unlink(batch, digest, link);
        guard.Deny(digest.Value, batch.Version);
    }

    private bool Remove(RowBatch batch, Digest manifest, DateTimeOffset timestamp) => ManifestRules.Delete(batch, manifest, timestamp, lifetimes);

    private static bool DeleteAll(RowBatch batch, IEnumerable<string> keys)
    {
        foreach (var key in keys)
        {
            batch.Delete(key);
        }

        return true;
    }

    private async Task<List<string>> FirstAsync(string prefix, int limit, CancellationToken cancellationToken)
    {
        var keys = new List<string>();
        await foreach (var row in rows.ScanAsync(prefix, after: null, cancellationToken))
        {
            keys.Add(row.Key);
            if (keys.Count == limit)
            {
                break;
            }
        }

        return keys;
    }

    /// <summary>A manifest that was deleted, and the referrers that go with it.</summary>
    private sealed record GoneSubject(string Key, Digest Digest, List<Digest> Referrers, bool More);
}
