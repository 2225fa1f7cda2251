using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Catalog;
using Granary.Grains.Interfaces.Collection;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Protocol;
using Granary.Storage.Partitions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Repositories;

/// <inheritdoc cref="IRepositoryGrain"/>
internal sealed partial class RepositoryGrain(
    IPartitionStore store,
    IOptions<LifetimeOptions> lifetimeOptions,
    TimeProvider time,
    ILogger<RepositoryGrain> logger) : PartitionGrain(store, logger), IRepositoryGrain
{
    // Each try calls Acquire again because somebody unlinked the very digest meanwhile; more than a few in a row is no coincidence but a defect.
    private const int MaxLinkAttempts = 16;

    // A page of referrers ends here (protocol.md, end-12): what clients accept as one index.
    private const int MaxReferrerPageBytes = 4 * 1024 * 1024 - 64 * 1024;
    private const int MaxReferrerPageCount = 10_000;

    private readonly LifetimeOptions _lifetimes = lifetimeOptions.Value;
    private readonly LinkGuard _guard = new();
    private RepositoryName _name;
    private bool _releasing;
    private DateTimeOffset _lastMoment;

    /// <inheritdoc/>
    protected override PartitionKey PartitionKey => RepositoryRows.Partition(_name);

    /// <inheritdoc/>
    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _name = RepositoryName.Parse(this.GetPrimaryKeyString());
        await base.OnActivateAsync(cancellationToken);
        if (Rows.NextVersion > 1)
        {
            // What an earlier activation unlinked and could not release any more.
            StartReleasing();
        }
    }

    /// <inheritdoc/>
    public async Task<BlobContent?> FindBlob(Digest digest, CancellationToken cancellationToken)
    {
        var (link, content) = await Rows.ReadAsync(
            [RepositoryRows.Link(digest), RepositoryRows.Bytes(digest)],
            rows => (LinkRow.Find(rows, digest), LinkRules.Content(rows, digest)),
            cancellationToken);
        return await Keep(digest, link, cancellationToken) ? content : null;
    }

    /// <inheritdoc/>
    public async Task<long?> FindBlobSize(Digest digest, CancellationToken cancellationToken)
    {
        var link = await FindLink(digest, cancellationToken);
        return await Keep(digest, link, cancellationToken) ? link!.Size : null;
    }

    /// <inheritdoc/>
    public Task<LinkAnswer> LinkBlob(Digest digest, BlobContent content, DateTimeOffset deadline, CancellationToken cancellationToken) =>
        Link(digest, content, deadline, cancellationToken);

    /// <inheritdoc/>
    public Task<LinkAnswer> MountBlob(Digest digest, CancellationToken cancellationToken) =>
        Link(digest, content: null, deadline: default, cancellationToken);

    /// <inheritdoc/>
    public async Task<DeleteBlobAnswer> DeleteBlob(Digest digest, bool evenIfUsed, CancellationToken cancellationToken)
    {
        var answer = await Rows.DecideAsync(
            [RepositoryRows.Link(digest)],
            rows =>
            {
                var answer = LinkRules.Delete(rows, digest, evenIfUsed);
                if (answer is BlobDeleted)
                {
                    _guard.Deny(digest.Value, rows.Version);
                }

                return answer;
            },
            cancellationToken);
        if (answer is BlobDeleted)
        {
            StartReleasing();
        }

        return answer;
    }

    /// <inheritdoc/>
    public async Task<PutManifestAnswer> PutManifest(PutManifest command, CancellationToken cancellationToken)
    {
        var moment = NextMoment();
        var needs = ManifestRules.Needs(command);
        long? entered = null;
        using var flight = _guard.Enter();
        for (var attempt = 0; attempt < MaxLinkAttempts; attempt++)
        {
            // Null: nothing is in the way but that the repository is not in the catalog yet.
            var answer = await Rows.DecideAsync(
                needs,
                rows => ManifestRules.Check(rows, command) is { } refused ? refused
                    : BeInCatalog(rows, entered) ? ManifestRules.Store(rows, command, moment)
                    : null,
                cancellationToken);
            if (answer is not null)
            {
                return answer;
            }

            entered = await EnterCatalog(cancellationToken);
        }

        throw Overtaken();
    }

    /// <inheritdoc/>
    public async Task<FoundManifest?> FindManifest(Digest digest, bool withBody, CancellationToken cancellationToken)
    {
        string[] needs = withBody ? [RepositoryRows.Manifest(digest), RepositoryRows.Body(digest, 0)] : [RepositoryRows.Manifest(digest)];
        return await Rows.ReadAsync(needs, rows => ManifestRules.Find(rows, digest, withBody), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<FoundManifest?> FindTagged(Tag tag, bool withBody, CancellationToken cancellationToken) =>
        await Rows.ReadAsync(
            [RepositoryRows.Tag(tag)],
            rows => TagRow.Find(rows, tag) is { } row ? ManifestRules.Find(rows, row.Digest, withBody) : null,
            cancellationToken);

    /// <inheritdoc/>
    public async Task<bool> DeleteManifest(Digest digest, CancellationToken cancellationToken)
    {
        var moment = NextMoment();
        string[] needs = [RepositoryRows.Manifest(digest), RepositoryRows.Body(digest, 0), RepositoryRows.Sweep];
        for (var attempt = 0; attempt < MaxLinkAttempts; attempt++)
        {
            // Null: somebody has just looked for due links, and has to be told to come again.
            var scheduled = await ScheduleSweep(cancellationToken);
            var deleted = await Rows.DecideAsync<bool?>(
                needs,
                rows => !rows.Has(RepositoryRows.Manifest(digest)) ? false
                    : BeScheduled(rows, scheduled) ? ManifestRules.Delete(rows, digest, moment, _lifetimes)
                    : null,
                cancellationToken);
            if (deleted is { } answer)
            {
                return answer;
            }
        }

        throw Overtaken();
    }

    /// <inheritdoc/>
    public Task<bool> Untag(Tag tag, CancellationToken cancellationToken)
    {
        var moment = NextMoment();
        return Rows.DecideAsync([RepositoryRows.Tag(tag)], rows => TagRules.Remove(rows, tag, moment), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<TagPage?> ListTags(string? after, int limit, CancellationToken cancellationToken)
    {
        if (!await Rows.ReadAsync([RepositoryRows.Meta], rows => rows.Has(RepositoryRows.Meta), cancellationToken))
        {
            return null;
        }

        var tags = new List<Tag>(Math.Min(limit, 1024));
        if (limit > 0)
        {
            // No tag is as long as this, so cutting the rest off changes no comparison.
            var start = after is null ? null : RepositoryRows.TagPrefix + after[..Math.Min(after.Length, 2 * Tag.MaxLength)];
            await foreach (var row in Rows.ScanAsync(RepositoryRows.TagPrefix, start, cancellationToken))
            {
                if (tags.Count == limit)
                {
                    return new TagPage([.. tags], More: true);
                }

                tags.Add(Tag.Parse(row.Key[RepositoryRows.TagPrefix.Length..]));
            }
        }

        return new TagPage([.. tags], More: false);
    }

    /// <inheritdoc/>
    public async Task<ReferrerPage> ListReferrers(Digest subject, string? artifactType, Digest? after, CancellationToken cancellationToken)
    {
        var referrers = new List<Referrer>();
        var bytes = 0L;
        var start = after is { } last ? RepositoryRows.Sub(subject, last) : null;
        await foreach (var row in Rows.ScanAsync(RepositoryRows.SubPrefix(subject), start, cancellationToken))
        {
            var found = ReferrerRow.Decode(row.Key, row.Value);
            if (artifactType is not null && found.Listed.ArtifactType != artifactType)
            {
                continue;
            }

            var listed = found.IsPartial ? await Complete(found.Listed, cancellationToken) : found.Listed;
            if (listed is null)
            {
                continue;
            }

            var size = JsonSize(listed);
            if (referrers.Count > 0 && (bytes + size > MaxReferrerPageBytes || referrers.Count == MaxReferrerPageCount))
            {
                return new ReferrerPage([.. referrers], More: true);
            }

            referrers.Add(listed);
            bytes += size;
        }

        return new ReferrerPage([.. referrers], More: false);
    }

    /// <inheritdoc/>
    public async Task<bool[]> Holds(Digest[] digests, CancellationToken cancellationToken)
    {
        string[] needs = [.. digests.Select(RepositoryRows.Link)];
        var held = await Rows.ReadAsync(needs, rows => Array.ConvertAll(digests, digest => rows.Has(RepositoryRows.Link(digest))), cancellationToken);
        if (!held.Contains(value: false))
        {
            return held;
        }

        // Each no is decided again in the loop, and costs a commit, though an empty one: a stuck activation that still believes in a link
        // finds out that it is stale (fence), and a link that is on its way is refused (guard).
        return await Rows.DecideAsync(
            needs,
            rows => Array.ConvertAll(digests, digest =>
            {
                if (rows.Has(RepositoryRows.Link(digest)))
                {
                    return true;
                }

                _guard.Deny(digest.Value, rows.Version);
                rows.Fence();
                return false;
            }),
            cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<CollectAnswer> Collect(int limit, CancellationToken cancellationToken)
    {
        // :: Step 1: which links may have to go, and when the next ones may.
        var now = time.GetUtcNow();
        var candidates = new List<Digest>();
        DateTimeOffset? next = null;
        await foreach (var row in Rows.ScanAsync(RepositoryRows.DuePrefix, after: null, cancellationToken))
        {
            var (due, digest) = RepositoryRows.ParseDue(row.Key);
            if (due > now || candidates.Count == limit)
            {
                next = due;
                break;
            }

            candidates.Add(digest);
        }

        // :: Step 2: those that still have to, in one commit.
        string[] needs = [.. candidates.Select(RepositoryRows.Link), RepositoryRows.Sweep];
        var answer = await Rows.DecideAsync(
            needs,
            rows =>
            {
                var unlinked = 0;
                foreach (var digest in candidates)
                {
                    if (LinkRules.Collect(rows, digest, now))
                    {
                        _guard.Deny(digest.Value, rows.Version);
                        unlinked++;
                    }
                }

                return new CollectAnswer(unlinked, next ?? RestNext(rows));
            },
            cancellationToken);
        if (answer.Unlinked > 0)
        {
            StartReleasing();
        }

        return answer;
    }

    /// <summary>When the next link can go, if step 1 saw none: there is one only if it was made since. If there is none, nobody needs to look.</summary>
    private static DateTimeOffset? RestNext(RowBatch rows)
    {
        if (rows.Scan(RepositoryRows.DuePrefix) is [var first, ..])
        {
            return RepositoryRows.ParseDue(first.Key).Time;
        }

        if (rows.Has(RepositoryRows.Sweep))
        {
            rows.Delete(RepositoryRows.Sweep);
        }

        return null;
    }

    private ValueTask<LinkRow?> FindLink(Digest digest, CancellationToken cancellationToken) =>
        Rows.ReadAsync([RepositoryRows.Link(digest)], rows => LinkRow.Find(rows, digest), cancellationToken);

    /// <summary>Whether the repository has the blob; renews its link first if the client might rely on it (rule 5).</summary>
    private async ValueTask<bool> Keep(Digest digest, LinkRow? link, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        return link is not null
            && (!LinkRules.NeedsRenewal(link, now, _lifetimes)
                || await Rows.DecideAsync([], rows => LinkRules.Renew(rows, digest, now, _lifetimes), cancellationToken));
    }

    /// <summary>Rules 3 and 4: pin the blob in its shard, then commit the link unless somebody unlinked it meanwhile.</summary>
    private async Task<LinkAnswer> Link(Digest digest, BlobContent? content, DateTimeOffset deadline, CancellationToken cancellationToken)
    {
        if (await Keep(digest, await FindLink(digest, cancellationToken), cancellationToken))
        {
            return LinkAnswer.Linked;
        }

        var shard = GrainFactory.GetGrain<IBlobShardGrain>(digest.FirstByte);
        using var flight = _guard.Enter();
        for (var attempt = 0; attempt < MaxLinkAttempts; attempt++)
        {
            // :: Step 1: the reference, dated so that a Release of anything that is unlinked from now on removes it.
            var sequence = Rows.NextVersion;
            var answer = await shard.Acquire(new AcquireBlob(digest, content, _name, sequence, deadline), cancellationToken);
            if (answer is not Acquired acquired)
            {
                return answer is AcquireExpired ? LinkAnswer.Expired : LinkAnswer.Unknown;
            }

            // :: Step 2: the first thing that can be seen of a repository is its name in the catalog.
            //    And somebody has to know when to look whether the link was needed.
            var scheduling = ScheduleSweep(cancellationToken);
            var entered = await EnterCatalog(cancellationToken);
            var scheduled = await scheduling;

            // :: Step 3: the link, unless the reference may be gone again.
            var now = time.GetUtcNow();
            var linked = await Rows.DecideAsync(
                [RepositoryRows.Link(digest), RepositoryRows.Meta, RepositoryRows.Sweep],
                rows =>
                {
                    if (!_guard.Allows(digest.Value, sequence) || !BeInCatalog(rows, entered) || !BeScheduled(rows, scheduled))
                    {
                        return false;
                    }

                    LinkRules.Link(rows, digest, acquired.Content, now, _lifetimes);
                    return true;
                },
                cancellationToken);
            if (linked)
            {
                return LinkAnswer.Linked;
            }
        }

        throw Overtaken();
    }

    /// <summary>Rule 9: a repository is in the catalog before anything of it can be seen. Answers the sequence of the entry, or null if it has one already.</summary>
    private async ValueTask<long?> EnterCatalog(CancellationToken cancellationToken)
    {
        if (await Rows.ReadAsync([RepositoryRows.Meta], rows => rows.Has(RepositoryRows.Meta), cancellationToken))
        {
            return null;
        }

        var sequence = Rows.NextVersion;
        await GrainFactory.GetGrain<ICatalogGrain>(0).Add(_name, sequence, cancellationToken);
        return sequence;
    }

    /// <summary>Records the entry in the catalog; false if the repository has left the catalog since it was made, and has to enter again.</summary>
    private bool BeInCatalog(RowBatch rows, long? entered)
    {
        if (rows.Has(RepositoryRows.Meta))
        {
            return true;
        }

        if (entered is not { } sequence || !_guard.Allows(RepositoryRows.CatalogEntry, sequence))
        {
            return false;
        }

        rows.Put(RepositoryRows.Meta, RepositoryRows.Mark);
        return true;
    }

    /// <summary>Sees to it that a schedule knows the repository before it has due links. Answers whether it was told just now.</summary>
    private async ValueTask<bool> ScheduleSweep(CancellationToken cancellationToken)
    {
        if (await Rows.ReadAsync([RepositoryRows.Sweep], rows => rows.Has(RepositoryRows.Sweep), cancellationToken))
        {
            return false;
        }

        await GrainFactory.GetGrain<IScheduleGrain>(Schedules.OfRepository(_name))
            .Schedule(_name.Value, time.GetUtcNow() + _lifetimes.LinkGrace, cancellationToken);
        return true;
    }

    /// <summary>Records that a schedule knows the repository; false if the sweep has come and gone since it was looked up.</summary>
    private static bool BeScheduled(RowBatch rows, bool scheduled)
    {
        if (rows.Has(RepositoryRows.Sweep))
        {
            return true;
        }

        if (scheduled)
        {
            rows.Put(RepositoryRows.Sweep, RepositoryRows.Mark);
        }

        return scheduled;
    }

    /// <summary>The rest of a referrer whose annotations are too long for its row; null if the manifest has just gone.</summary>
    private async ValueTask<Referrer?> Complete(Referrer listed, CancellationToken cancellationToken)
    {
        var found = await FindManifest(listed.Digest, withBody: true, cancellationToken);
        return found is not null && Manifest.TryParse(found.Body, found.MediaType, out var manifest, out _)
            ? listed with { Annotations = manifest.Annotations }
            : null;
    }

    /// <summary>Rule 6: works off the <c>out/</c> rows, in the background and one after the other. What fails stays for the next time.</summary>
    private void StartReleasing()
    {
        if (!_releasing)
        {
            _releasing = true;
            _ = ReleaseAsync();
        }
    }

    private async Task ReleaseAsync()
    {
        try
        {
            while (true)
            {
                var keys = new List<string>();
                await foreach (var row in Rows.ScanAsync(RepositoryRows.OutPrefix, after: null, CancellationToken.None))
                {
                    keys.Add(row.Key);
                }

                if (keys.Count == 0)
                {
                    return;
                }

                foreach (var key in keys)
                {
                    await Release(key);
                }

                await Rows.DecideAsync(
                    keys,
                    rows =>
                    {
                        foreach (var key in keys.Where(rows.Has))
                        {
                            rows.Delete(key);
                        }

                        return true;
                    },
                    CancellationToken.None);
            }
        }
        catch (Exception e)
        {
            LogReleaseFailed(logger, e, _name);
        }
        finally
        {
            _releasing = false;
        }
    }

    private Task Release(string key)
    {
        var (version, what) = RepositoryRows.ParseOut(key);
        if (what == RepositoryRows.CatalogEntry)
        {
            return GrainFactory.GetGrain<ICatalogGrain>(0).Remove(_name, version, CancellationToken.None);
        }

        var digest = Digest.Parse(what);
        return GrainFactory.GetGrain<IBlobShardGrain>(digest.FirstByte).Release(digest, _name, version, CancellationToken.None);
    }

    /// <summary>Now, but never the same moment twice: lines of history are kept by it.</summary>
    private DateTimeOffset NextMoment()
    {
        var now = time.GetUtcNow();
        _lastMoment = now > _lastMoment ? now : _lastMoment.AddTicks(1);
        return _lastMoment;
    }

    /// <summary>At least the bytes of an entry as JSON: names and punctuation of its members, and each character that may need an escape as six.</summary>
    private static long JsonSize(Referrer listed)
    {
        return 384 + Text(listed.MediaType) + Text(listed.ArtifactType) + listed.Annotations.Sum(pair => 8 + Text(pair.Key) + Text(pair.Value));

        static long Text(string? text) => text is null ? 0 : text.Sum(character => char.IsAsciiLetterOrDigit(character) || "-_./: ,@".Contains(character, StringComparison.Ordinal) ? 1L : 6L);
    }

    private PartitionUnavailableException Overtaken() =>
        new(PartitionFault.Unavailable, $"Repository '{_name}' changed {MaxLinkAttempts} times under one command; try again.");

    [LoggerMessage(1101, LogLevel.Warning, "References of {Repository} were not released yet; they will be later")]
    private static partial void LogReleaseFailed(ILogger logger, Exception exception, RepositoryName repository);
}
