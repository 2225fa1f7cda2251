using System.Buffers;
using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Catalog;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Protocol;
using Granary.Storage.Partitions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Repositories;

/// <inheritdoc cref="IRepositoryGrain"/>
internal sealed class RepositoryGrain(
    IPartitionStore store,
    IOptions<LifetimeOptions> lifetimeOptions,
    IOptions<CollectionOptions> collectionOptions,
    PullCache answers,
    TimeProvider time,
    ILogger<RepositoryGrain> logger) : PartitionGrain(store, logger), IRepositoryGrain, IRepositoryMaintenanceGrain
{
    // Each try calls Acquire again because somebody unlinked the very digest meanwhile; more than a few in a row is no coincidence but a defect.
    private const int MaxLinkAttempts = 16;

    // A page of referrers ends here (protocol.md, end-12): what clients accept as one index.
    private const int MaxReferrerPageBytes = 4 * 1024 * 1024 - 64 * 1024;
    private const int MaxReferrerPageCount = 10_000;

    // Named in the answer to a client that wants to delete a blob in use, as far as they are found soon; more would not help it.
    private const int NamedUsers = 10;
    private const int SearchedForUsers = 2000;

    private static readonly SearchValues<char> PlainInJson = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./: ,@");

    private readonly LifetimeOptions _lifetimes = lifetimeOptions.Value;
    private readonly LinkGuard _guard = new();
    private RepositoryName _name;
    private ReleaseQueue? _releases;
    private SweepSchedule? _schedule;
    private RepositoryMaintenance? _maintenance;
    private DateTimeOffset _lastTimestamp;

    /// <summary>What the grain has denied lately, for tests that want it to forget.</summary>
    internal LinkGuard Guard => _guard;

    /// <inheritdoc/>
    protected override PartitionKey PartitionKey => RepositoryRows.Partition(_name);

    /// <inheritdoc/>
    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _name = RepositoryName.Parse(this.GetPrimaryKeyString());
        await base.OnActivateAsync(cancellationToken);
        _releases = new ReleaseQueue(Rows, _name, GrainFactory, time, logger);
        _schedule = new SweepSchedule(Rows, _name, _guard, GrainFactory, _lifetimes, time);
        _maintenance = new RepositoryMaintenance(Rows, _name, _guard, _releases, _schedule, GrainFactory, _lifetimes, collectionOptions.Value, time);
        if (Rows.NextVersion > 1)
        {
            // What an earlier activation unlinked and could not release any more.
            _ = _releases.DrainAsync();
        }
    }

    /// <inheritdoc/>
    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        _releases?.End();
        return base.OnDeactivateAsync(reason, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<BlobContent?> FindBlob(Digest digest, CancellationToken cancellationToken)
    {
        var moment = Rows.Validity;
        var (link, content) = await Rows.ReadAsync(
            [RepositoryRows.Link(digest), RepositoryRows.Bytes(digest)],
            rows => (LinkRow.Find(rows, digest), LinkRules.Content(rows, digest)),
            cancellationToken);
        if (content is null || !await Keep(digest, link, cancellationToken))
        {
            return null;
        }

        answers.Remember(moment, PullCacheKey.Blob(_name, digest), content, (content as InlineContent)?.Bytes.Length ?? 0, LinkRules.RenewalDue(link!, _lifetimes));
        return content;
    }

    /// <inheritdoc/>
    public async Task<long?> FindBlobSize(Digest digest, CancellationToken cancellationToken)
    {
        var moment = Rows.Validity;
        var link = await FindLink(digest, cancellationToken);
        if (!await Keep(digest, link, cancellationToken))
        {
            return null;
        }

        answers.Remember<long?>(moment, PullCacheKey.BlobSize(_name, digest), link!.Size, until: LinkRules.RenewalDue(link, _lifetimes));
        return link.Size;
    }

    /// <inheritdoc/>
    public Task<LinkAnswer> LinkBlob(Digest digest, BlobContent content, DateTimeOffset deadline, CancellationToken cancellationToken)
    {
        return Link(digest, content, deadline, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<LinkAnswer> MountBlob(Digest digest, CancellationToken cancellationToken)
    {
        return Link(digest, content: null, deadline: default, cancellationToken);
    }

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
            _ = _releases!.DrainSoonAsync();
        }

        return answer is BlobInUse ? new BlobInUse([.. await _maintenance!.FindUsersAsync(digest, NamedUsers, SearchedForUsers, cancellationToken)]) : answer;
    }

    /// <inheritdoc/>
    public async Task<PutManifestAnswer> PutManifest(PutManifest command, CancellationToken cancellationToken)
    {
        var timestamp = NextTimestamp();
        var needs = ManifestRules.Needs(command);
        PendingRegistration? entered = null;
        var isChanged = false;
        using var flight = _guard.Enter();
        for (var attempt = 0; attempt < MaxLinkAttempts; attempt++)
        {
            // Null: nothing is in the way but that the repository is not in the catalog yet.
            var answer = await Rows.DecideAsync(
                needs,
                rows =>
                {
                    var stored = ManifestRules.Check(rows, command) is { } refused ? refused
                        : BeInCatalog(rows, entered) ? ManifestRules.Store(rows, command, timestamp)
                        : null;
                    isChanged = rows.HasChanges;
                    return stored;
                },
                dependsOn: [entered?.DependsOn],
                cancellationToken);
            if (answer is ManifestStored && !isChanged)
            {
                // That all is there already is a promise, too, and not one that an activation may make that does not know yet that another has its place.
                await Rows.ProveCurrentAsync(cancellationToken);
            }

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
        var moment = Rows.Validity;
        var found = await Rows.ReadAsync([RepositoryRows.Manifest(digest)], rows => ManifestRules.Find(rows, digest, withBody), cancellationToken);
        Remember(moment, PullCacheKey.Manifest(_name, digest, withBody), found);
        return found;
    }

    /// <inheritdoc/>
    public async Task<FoundManifest?> FindTagged(Tag tag, bool withBody, CancellationToken cancellationToken)
    {
        var moment = Rows.Validity;
        var found = await Rows.ReadAsync(
            [RepositoryRows.Tag(tag)],
            rows => TagRow.Find(rows, tag) is { } row ? ManifestRules.Find(rows, row.Digest, withBody) : null,
            cancellationToken);
        Remember(moment, PullCacheKey.Tagged(_name, tag, withBody), found);
        return found;
    }

    /// <inheritdoc/>
    public async Task<bool> DeleteManifest(Digest digest, CancellationToken cancellationToken)
    {
        var needs = await Rows.ReadAsync([RepositoryRows.Manifest(digest)], rows => ManifestRules.DeletionNeeds(rows, digest), cancellationToken);
        var timestamp = NextTimestamp();
        return needs is not null
            && await _schedule!.DecideAsync(needs, rows => ManifestRules.Delete(rows, digest, timestamp, _lifetimes), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<bool> Untag(Tag tag, CancellationToken cancellationToken)
    {
        var timestamp = NextTimestamp();
        return Rows.DecideAsync([RepositoryRows.Tag(tag)], rows => TagRules.Remove(rows, tag, timestamp), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<TagPage?> ListTags(string? after, int limit, CancellationToken cancellationToken)
    {
        if (!await Rows.ReadAsync([RepositoryRows.Meta], rows => rows.Has(RepositoryRows.Meta), cancellationToken))
        {
            return null;
        }

        // No tag is as long as this, so cutting the rest off changes no comparison.
        var (tags, more) = await Rows.ListAsync(RepositoryRows.TagPrefix, after?[..Math.Min(after.Length, 2 * Tag.MaxLength)], limit, Tag.Parse, cancellationToken);
        return new TagPage(tags, more);
    }

    /// <inheritdoc/>
    public async Task<ReferrerPage> ListReferrers(Digest subject, string? artifactType, Digest? after, CancellationToken cancellationToken)
    {
        var referrers = new List<Referrer>();
        var bytes = 0L;
        Referrer? before = null;
        var start = after is { } last ? RepositoryRows.Sub(subject, last) : null;
        await foreach (var row in Rows.ScanAsync(RepositoryRows.SubPrefix(subject), start, cancellationToken))
        {
            var found = ReferrerRow.Decode(row.Key, row.Value, before);
            before = found.Listed;
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
    public Task<bool[]> Holds(Digest[] digests, CancellationToken cancellationToken) => _maintenance!.HoldsAsync(digests, cancellationToken);

    /// <inheritdoc/>
    public Task<bool> Exists(CancellationToken cancellationToken) => _maintenance!.ExistsAsync(cancellationToken);

    /// <inheritdoc/>
    public Task<CollectAnswer> Collect(CollectLinks command, CancellationToken cancellationToken) => _maintenance!.CollectAsync(command, NextTimestamp(), cancellationToken);

    /// <inheritdoc/>
    public Task<CollectUntaggedAnswer> CollectUntagged(CollectUntagged command, CancellationToken cancellationToken) =>
        _maintenance!.CollectUntaggedAsync(command, NextTimestamp(), cancellationToken);

    /// <inheritdoc/>
    public Task<int> Clear(int limit, CancellationToken cancellationToken) => _maintenance!.ClearAsync(limit, NextTimestamp(), cancellationToken);

    /// <inheritdoc/>
    public Task<RepositoryExplanation> Explain(Digest digest, CancellationToken cancellationToken) => _maintenance!.ExplainAsync(digest, cancellationToken);

    /// <inheritdoc/>
    public Task<LinkedBlob[]> ListLinks(Digest? after, int limit, CancellationToken cancellationToken) => _maintenance!.ListLinksAsync(after, limit, cancellationToken);

    /// <inheritdoc/>
    public Task<CheckManifestsAnswer> CheckManifests(Digest? after, int limit, CancellationToken cancellationToken) =>
        _maintenance!.CheckManifestsAsync(after, limit, cancellationToken);

    /// <inheritdoc/>
    public Task Correct(Digest digest, BlobContent content, bool isDamaged, CancellationToken cancellationToken) =>
        _maintenance!.CorrectAsync(digest, content, isDamaged, cancellationToken);

    /// <inheritdoc/>
    public Task<bool> RestoreReference(Digest digest, CancellationToken cancellationToken) => _maintenance!.RestoreReferenceAsync(digest, cancellationToken);

    private void Remember(ReadValidity moment, PullCacheKey question, FoundManifest? found)
    {
        if (found is not null)
        {
            answers.Remember(moment, question, found, found.Body?.Length ?? 0);
        }
    }

    private ValueTask<LinkRow?> FindLink(Digest digest, CancellationToken cancellationToken) =>
        Rows.ReadAsync([RepositoryRows.Link(digest)], rows => LinkRow.Find(rows, digest), cancellationToken);

    /// <summary>Whether the repository has the blob; renews its link first if the client might rely on it (rule 5).</summary>
    private async ValueTask<bool> Keep(Digest digest, LinkRow? link, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        return link is { IsDamaged: false }
            && (!LinkRules.NeedsRenewal(link, now, _lifetimes)
                || await Rows.DecideAsync([], rows => LinkRules.Renew(rows, digest, now, _lifetimes), cancellationToken));
    }

    /// <summary>Rules 3 and 4: pin the blob in its shard, then commit the link unless somebody unlinked it meanwhile.</summary>
    private async Task<LinkAnswer> Link(Digest digest, BlobContent? content, DateTimeOffset deadline, CancellationToken cancellationToken)
    {
        var link = await FindLink(digest, cancellationToken);
        if (await Keep(digest, link, cancellationToken))
        {
            return Linked(content, link!.Object);
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
            var announcing = _schedule!.RegisterAsync(cancellationToken);
            var entered = await EnterCatalog(cancellationToken);
            var announced = await announcing;

            // :: Step 3: the link, unless the reference may be gone again.
            var now = time.GetUtcNow();
            var linked = await Rows.DecideAsync(
                [RepositoryRows.Link(digest), RepositoryRows.Meta, RepositoryRows.Sweep, RepositoryRows.Named(digest)],
                rows =>
                {
                    if (!_guard.Allows(digest.Value, sequence) || !BeInCatalog(rows, entered) || !_schedule.Confirm(rows, announced))
                    {
                        return false;
                    }

                    LinkRules.Link(rows, digest, acquired.Content, now, _lifetimes);

                    // That the link is there already is a promise, too: an activation that is stale finds out.
                    rows.Fence();
                    return true;
                },
                dependsOn: [acquired.DependsOn, entered?.DependsOn, announced?.DependsOn],
                cancellationToken);
            if (linked)
            {
                return Linked(content, (acquired.Content as ObjectContent)?.Object);
            }
        }

        throw Overtaken();
    }

    /// <summary>
    /// Returns whether the caller's object is the one that counts. It is a hint to ask Renounce soon, and no more: what counts may have changed again, and only the shard's commit decides.
    /// </summary>
    private static LinkAnswer Linked(BlobContent? brought, ObjectId? counting) =>
        brought is ObjectContent { Object: var id } && id != counting ? LinkAnswer.LinkedToOther : LinkAnswer.Linked;

    /// <summary>Rule 9: a repository is in the catalog before anything of it can be seen. Answers from when on it is, or null if it was already.</summary>
    private async ValueTask<PendingRegistration?> EnterCatalog(CancellationToken cancellationToken)
    {
        if (await Rows.ReadAsync([RepositoryRows.Meta], rows => rows.Has(RepositoryRows.Meta), cancellationToken))
        {
            return null;
        }

        var sequence = Rows.NextVersion;
        return new PendingRegistration(sequence, await GrainFactory.GetGrain<ICatalogGrain>(0).Add(_name, sequence, cancellationToken));
    }

    /// <summary>Records the entry in the catalog; false if the repository has left the catalog since it was made, and has to enter again.</summary>
    private bool BeInCatalog(RowBatch rows, PendingRegistration? entered) => _guard.Confirm(rows, RepositoryRows.Meta, RepositoryRows.CatalogEntry, entered);

    /// <summary>The rest of a referrer whose annotations are too long for its row; null if the manifest has just gone.</summary>
    private async ValueTask<Referrer?> Complete(Referrer listed, CancellationToken cancellationToken)
    {
        var found = await FindManifest(listed.Digest, withBody: true, cancellationToken);
        return found is not null && Manifest.TryParse(found.Body, found.MediaType, out var manifest, out _)
            ? listed with { Annotations = manifest.Annotations }
            : null;
    }

    /// <summary>Now, but never the same twice: lines of history are kept by it.</summary>
    private DateTimeOffset NextTimestamp()
    {
        var now = time.GetUtcNow();
        _lastTimestamp = now > _lastTimestamp ? now : _lastTimestamp.AddTicks(1);
        return _lastTimestamp;
    }

    /// <summary>At least the bytes of an entry as JSON: names and punctuation of its members, and each character that may need an escape as six.</summary>
    private static long JsonSize(Referrer listed)
    {
        var size = 384 + Text(listed.MediaType) + Text(listed.ArtifactType);
        foreach (var (key, value) in listed.Annotations)
        {
            size += 8 + Text(key) + Text(value);
        }

        return size;

        static long Text(string? text)
        {
            if (text is null)
            {
                return 0;
            }

            var escapes = 0;
            for (var rest = text.AsSpan(); rest.IndexOfAnyExcept(PlainInJson) is >= 0 and var next; rest = rest[(next + 1)..])
            {
                escapes++;
            }

            return text.Length + (5L * escapes);
        }
    }

    private PartitionUnavailableException Overtaken() =>
        new(PartitionFault.Unavailable, $"Repository '{_name}' changed {MaxLinkAttempts} times under one command; try again.");
}
