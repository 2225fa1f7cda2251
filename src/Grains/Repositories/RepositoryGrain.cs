using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories.History;
using Granary.Grains.Repositories.Maintenance;
using Granary.Protocol;
using Granary.Storage.Partitions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Placement;

namespace Granary.Grains.Repositories;

/// <inheritdoc cref="IRepositoryGrain"/>
[RandomPlacement]
internal sealed class RepositoryGrain(
    IPartitionStore store,
    IOptions<LifetimeOptions> lifetimeOptions,
    IOptions<CollectionOptions> collectionOptions,
    IOptions<HistoryOptions> historyOptions,
    PullCache pullCache,
    TimeProvider time,
    ILogger<RepositoryGrain> logger) : PartitionGrain(store, time, logger), IRepositoryGrain, IRepositoryMaintenanceGrain
{
    // The manifests that the refusal to delete a used blob names, and how many manifests the search for them reads at most.
    private const int MaxNamedUsers = 10;
    private const int MaxSearchedForUsers = 2000;

    // No tag is as long as this, so a longer start of a list can be cut without a change to the list.
    private const int MaxListStart = 2 * Tag.MaxLength;

    private readonly LifetimeOptions _lifetimes = lifetimeOptions.Value;
    private readonly LinkGuard _guard = new();

    // Set on activation, since they need the partition.
    private RepositoryName _name;
    private RepositoryLog _log = null!;
    private DoneCommands _done = null!;
    private RepositoryRemoval _removal = null!;
    private ReleaseQueue _releases = null!;
    private CatalogRegistration _catalog = null!;
    private SweepSchedule _schedule = null!;
    private BlobLinking _links = null!;
    private LeaseAnswers _leases = null!;
    private LinkCollection _collection = null!;
    private UntaggedCollection _untagged = null!;
    private RepositoryClearing _clearing = null!;
    private RepositoryExplainer _explainer = null!;
    private ScrubChecks _scrub = null!;
    private TagHistoryReader _history = null!;
    private TagUndo _undo = null!;

    /// <summary>The guard, for tests that remove denials from it.</summary>
    internal LinkGuard Guard => _guard;

    /// <inheritdoc/>
    protected override PartitionKey PartitionKey => RepositoryRows.Partition(_name);

    /// <inheritdoc/>
    public override async Task OnActivateAsync(CancellationToken cancellationToken)
    {
        _name = RepositoryName.Parse(this.GetPrimaryKeyString());
        await base.OnActivateAsync(cancellationToken);
        var options = collectionOptions.Value;
        _log = new RepositoryLog(Partition, historyOptions.Value, Time);
        _done = new DoneCommands(Partition, _log);
        _releases = new ReleaseQueue(Partition, _name, GrainFactory, Time, logger);
        _catalog = new CatalogRegistration(Partition, _name, _guard, GrainFactory);
        _schedule = new SweepSchedule(Partition, _name, _guard, GrainFactory, _lifetimes, Time);
        _removal = new RepositoryRemoval(Partition, _schedule);
        _links = new BlobLinking(Partition, _name, _guard, _catalog, _schedule, _log, GrainFactory, _lifetimes, Time);
        _leases = new LeaseAnswers(Partition, _guard, _catalog, _schedule, _releases, options);
        var retention = new LogRetention(Partition, historyOptions.Value);
        _collection = new LinkCollection(Partition, _guard, _catalog, _schedule, _releases, retention, _lifetimes, options);
        _untagged = new UntaggedCollection(Partition, _schedule, _lifetimes);
        _clearing = new RepositoryClearing(Partition, _guard, _catalog, _schedule, _releases, _lifetimes);
        _explainer = new RepositoryExplainer(Partition);
        _scrub = new ScrubChecks(Partition, _name, _guard, GrainFactory);
        _history = new TagHistoryReader(Partition, _log, options);
        _undo = new TagUndo(Partition, _log, _done, _schedule);
        if (Partition.NextVersion > 1)
        {
            // An earlier activation may have ended between an unlink and its Release.
            _ = _releases.DrainAsync();
        }
    }

    /// <inheritdoc/>
    public override Task OnDeactivateAsync(DeactivationReason reason, CancellationToken cancellationToken)
    {
        // Null if the activation failed.
        _releases?.Stop();
        return base.OnDeactivateAsync(reason, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<BlobContent?> FindBlob(Digest digest, CancellationToken cancellationToken)
    {
        var validity = Partition.Validity;
        var (link, content) = await Partition.ReadAsync(
            [RepositoryRows.Link(digest), RepositoryRows.Bytes(digest)],
            rows => (LinkRow.Find(rows, digest), LinkRules.Content(rows, digest)),
            cancellationToken);
        if (content is null || !await _links.RenewAsync(digest, link, cancellationToken))
        {
            return null;
        }

        var bytes = (content as InlineContent)?.Bytes.Length ?? 0;
        pullCache.Add(PullCacheKey.Blob(_name, digest), content, validity, bytes, LinkRules.RenewalDue(link!, _lifetimes));
        return content;
    }

    /// <inheritdoc/>
    public async Task<long?> FindBlobSize(Digest digest, CancellationToken cancellationToken)
    {
        var validity = Partition.Validity;
        var link = await _links.FindAsync(digest, cancellationToken);
        if (!await _links.RenewAsync(digest, link, cancellationToken))
        {
            return null;
        }

        var until = LinkRules.RenewalDue(link!, _lifetimes);
        pullCache.Add<long?>(PullCacheKey.BlobSize(_name, digest), link!.Size, validity, until: until);
        return link.Size;
    }

    /// <inheritdoc/>
    public Task<LinkAnswer> LinkBlob(LinkBlob command, CancellationToken cancellationToken) =>
        _links.LinkAsync(command, command.Digest, command.Content, command.Deadline, cancellationToken);

    /// <inheritdoc/>
    public Task<LinkAnswer> MountBlob(MountBlob command, CancellationToken cancellationToken) =>
        _links.LinkAsync(command, command.Digest, content: null, deadline: default, cancellationToken);

    /// <inheritdoc/>
    public async Task<DeleteBlobAnswer> DeleteBlob(RemoveBlob command, CancellationToken cancellationToken)
    {
        var digest = command.Digest;
        var change = await _log.BeginAsync(command, cancellationToken);
        var ruling = await Partition.DecideAsync(
            [RepositoryRows.Meta, RepositoryRows.Link(digest)],
            batch => Unlink(batch, command, change),
            cancellationToken);
        switch (await ruling.ProveAsync(Partition, cancellationToken))
        {
            case UnlinkOutcome.NotFound:
                return new BlobNotFound();

            case UnlinkOutcome.InUse:
                return new BlobInUse([.. await _explainer.FindUsersAsync(digest, MaxNamedUsers, MaxSearchedForUsers, cancellationToken)]);

            default:
                _ = _releases.DrainSoonAsync();
                return new BlobDeleted();
        }
    }

    /// <inheritdoc/>
    public async Task<PutManifestAnswer> PutManifest(PutManifest command, CancellationToken cancellationToken)
    {
        var change = await _log.BeginAsync(command, cancellationToken);
        var done = await _done.FindAsync(command, command.Tags, cancellationToken);
        var needs = ManifestRules.Needs(command);
        var registrations = default(Registrations);
        using var acquire = _guard.BeginAcquire();
        for (var attempt = 0; attempt < BlobLinking.MaxAttempts; attempt++)
        {
            var outcome = await Partition.DecideAsync(
                needs,
                batch => TryPut(batch, command, registrations, change, done),
                dependsOn: [registrations.Catalog?.DependsOn, registrations.Schedule?.DependsOn],
                cancellationToken);
            switch (outcome)
            {
                case PutAttempt.Refused refused:
                    return await refused.Ruling.ProveAsync(Partition, cancellationToken);

                case PutAttempt.NotRegistered:
                    var preparing = _schedule.PrepareAsync(cancellationToken);
                    var catalog = await _catalog.PrepareAsync(cancellationToken);
                    registrations = new Registrations(catalog, await preparing);
                    break;

                case PutAttempt.Stored { HasChanges: var hasChanges }:
                    if (!hasChanges)
                    {
                        // The client relies on the manifest. A stale activation may have read it before another one deleted it.
                        await Partition.ProveCurrentAsync(cancellationToken);
                    }

                    return new ManifestStored();
            }
        }

        throw BlobLinking.Overtaken(_name);
    }

    /// <inheritdoc/>
    public async Task<FoundManifest?> FindManifest(Digest digest, bool withBody, CancellationToken cancellationToken)
    {
        var validity = Partition.Validity;
        var found = await Partition.ReadAsync(
            [RepositoryRows.Manifest(digest)],
            rows => ManifestRules.Find(rows, digest, withBody),
            cancellationToken);
        Cache(PullCacheKey.Manifest(_name, digest, withBody), found, validity);
        return found;
    }

    /// <inheritdoc/>
    public async Task<FoundManifest?> FindTagged(Tag tag, bool withBody, CancellationToken cancellationToken)
    {
        var validity = Partition.Validity;
        var found = await Partition.ReadAsync(
            [RepositoryRows.Tag(tag)],
            rows => TagRow.Find(rows, tag) is { } row ? ManifestRules.Find(rows, row.Digest, withBody) : null,
            cancellationToken);
        Cache(PullCacheKey.Tagged(_name, tag, withBody), found, validity);
        return found;
    }

    /// <inheritdoc/>
    public async Task<bool> DeleteManifest(RemoveManifest command, CancellationToken cancellationToken)
    {
        var digest = command.Digest;
        var change = await _log.BeginAsync(command, cancellationToken);
        var done = await _done.FindAsync(command, [], cancellationToken);
        var removal = new Removal(
            [RepositoryRows.Meta, RepositoryRows.Manifest(digest)],
            rows => ManifestRules.DeletionNeeds(rows, digest),
            rows => ManifestRules.OrderOf(rows, digest),
            batch => ManifestRules.Delete(batch, digest, change, _lifetimes));
        return await _removal.RemoveAsync(removal, change, done, command.IsRepeat, cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<bool> Untag(RemoveTag command, CancellationToken cancellationToken)
    {
        var tag = command.Tag;
        var change = await _log.BeginAsync(command, cancellationToken);
        var done = await _done.FindAsync(command, [tag], cancellationToken);
        string[] needs = [RepositoryRows.Meta, RepositoryRows.Tag(tag), LogRows.History];
        var removal = new Removal(
            needs,
            rows => rows.Has(RepositoryRows.Tag(tag)) ? needs : null,
            rows => TagRow.Find(rows, tag)?.Order ?? 0,
            batch => TagRules.Remove(batch, tag, change));
        return await _removal.RemoveAsync(removal, change, done, command.IsRepeat, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<TagHistory?> ReadTagHistory(Tag tag, LogPosition? from, int limit, CancellationToken cancellationToken) =>
        _history.ReadAsync(tag, from, limit, cancellationToken);

    /// <inheritdoc/>
    public async Task<UndoTagAnswer> UndoTag(UndoTag command, CancellationToken cancellationToken) =>
        await _undo.UndoAsync(command, await _log.BeginAsync(command, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public async Task<TagPage?> ListTags(string? after, int limit, CancellationToken cancellationToken)
    {
        if (!await Partition.ReadAsync([RepositoryRows.Meta], rows => rows.Has(RepositoryRows.Meta), cancellationToken))
        {
            return null;
        }

        var start = after?[..Math.Min(after.Length, MaxListStart)];
        var (tags, more) = await Partition.ListAsync(RepositoryRows.TagPrefix, start, limit, Tag.Parse, cancellationToken);
        return new TagPage(tags, more);
    }

    /// <inheritdoc/>
    public Task<ReferrerPage> ListReferrers(Digest subject, string? artifactType, Digest? after, CancellationToken cancellationToken)
    {
        return new ReferrerList(Partition).ListAsync(subject, artifactType, after, cancellationToken);
    }

    /// <inheritdoc/>
    public Task<bool[]> Holds(Digest[] digests, CancellationToken cancellationToken) => _leases.HoldsAsync(digests, cancellationToken);

    /// <inheritdoc/>
    public async Task<bool> Exists(CancellationToken cancellationToken) =>
        await _leases.ExistsAsync(await BeginCollectionAsync(cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public async Task<CollectAnswer> Collect(CollectLinks command, CancellationToken cancellationToken) =>
        await _collection.CollectAsync(command, await BeginCollectionAsync(cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public async Task<CollectUntaggedAnswer> CollectUntagged(CollectUntagged command, CancellationToken cancellationToken) =>
        await _untagged.CollectAsync(command, await BeginCollectionAsync(cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public async Task<int> Clear(ClearRepository command, CancellationToken cancellationToken) =>
        await _clearing.ClearAsync(command.Limit, await _log.BeginAsync(command, cancellationToken), cancellationToken);

    /// <inheritdoc/>
    public Task<RepositoryExplanation> Explain(Digest digest, CancellationToken cancellationToken) =>
        _explainer.ExplainAsync(digest, cancellationToken);

    /// <inheritdoc/>
    public Task<LinkedBlob[]> ListLinks(Digest? after, int limit, CancellationToken cancellationToken) =>
        _scrub.ListLinksAsync(after, limit, cancellationToken);

    /// <inheritdoc/>
    public Task<CheckManifestsAnswer> CheckManifests(Digest? after, int limit, CancellationToken cancellationToken) =>
        _scrub.CheckManifestsAsync(after, limit, cancellationToken);

    /// <inheritdoc/>
    public Task Correct(Digest digest, BlobContent content, bool isDamaged, CancellationToken cancellationToken) =>
        _scrub.CorrectAsync(digest, content, isDamaged, cancellationToken);

    /// <inheritdoc/>
    public Task<bool> RestoreReference(Digest digest, CancellationToken cancellationToken) =>
        _scrub.RestoreReferenceAsync(digest, cancellationToken);

    private Ruling<UnlinkOutcome> Unlink(RowBatch batch, RemoveBlob command, Change change)
    {
        var (digest, request) = (command.Digest, command.Origin.RequestId);
        if (Floor.Of(batch).Removals.Contains(request))
        {
            return OrderRules.Unchanged(batch, change, UnlinkOutcome.Unlinked);
        }

        if (OrderRules.Refuse<UnlinkOutcome>(batch, change, LinkRow.Find(batch, digest)?.Order ?? 0) is { } late)
        {
            return late;
        }

        var outcome = LinkRules.TryUnlink(batch, digest, command.EvenIfUsed);
        if (outcome != UnlinkOutcome.Unlinked)
        {
            return OrderRules.Unchanged(batch, change, outcome);
        }

        _guard.Deny(digest.Value, batch.Version);
        Floor.Raise(batch, change.Order, request);
        return new Ruling<UnlinkOutcome>(outcome);
    }

    private PutAttempt TryPut(RowBatch batch, PutManifest command, Registrations registrations, Change change, DoneSearch done)
    {
        if (done.IsDone(batch))
        {
            var stored = OrderRules.Unchanged<PutManifestAnswer>(batch, change, new ManifestStored());
            return new PutAttempt.Refused(stored);
        }

        if (OrderRules.Refuse<PutManifestAnswer>(batch, change, ManifestRules.OrderOf(batch, command)) is { } late)
        {
            return new PutAttempt.Refused(late);
        }

        // A refused push must not register the repository, so the check comes first.
        if (ManifestRules.Check(batch, command) is { } refusal)
        {
            return new PutAttempt.Refused(OrderRules.Unchanged(batch, change, refusal));
        }

        if ((LogRules.NeedsSchedule(batch, change) && !_schedule.Register(batch, registrations.Schedule))
            || !_catalog.Register(batch, registrations.Catalog, change))
        {
            return new PutAttempt.NotRegistered();
        }

        ManifestRules.Store(batch, command, change);
        return new PutAttempt.Stored(batch.HasChanges);
    }

    private void Cache(PullCacheKey key, FoundManifest? found, ReadValidity validity)
    {
        if (found is not null)
        {
            pullCache.Add(key, found, validity, found.Body?.Length ?? 0);
        }
    }

    private ValueTask<Change> BeginCollectionAsync(CancellationToken cancellationToken) =>
        _log.BeginAsync(CommandOrigin.OfRegistry(ChangeCause.Collection), cancellationToken);

    /// <summary>What a push has registered before its decision.</summary>
    /// <param name="Catalog">The entry in the catalog; null if the repository has one.</param>
    /// <param name="Schedule">The entry in a schedule; null if the repository has one.</param>
    private readonly record struct Registrations(PendingRegistration? Catalog, PendingRegistration? Schedule);
}
