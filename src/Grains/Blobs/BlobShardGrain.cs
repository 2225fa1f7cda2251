using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Partitions;
using Granary.Protocol;
using Granary.Storage.Partitions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Granary.Grains.Blobs;

/// <inheritdoc cref="IBlobShardGrain"/>
internal sealed class BlobShardGrain(
    IPartitionStore store,
    IOptions<LifetimeOptions> lifetimeOptions,
    TimeProvider time,
    ILogger<BlobShardGrain> logger) : PartitionGrain(store, logger), IBlobShardGrain
{
    // Named in an explanation; more would not help who reads it.
    private const int NamedRepositories = 20;

    private readonly LifetimeOptions _lifetimes = lifetimeOptions.Value;

    /// <inheritdoc/>
    protected override PartitionKey PartitionKey => BlobRows.Partition(checked((byte)this.GetPrimaryKeyLong()));

    /// <inheritdoc/>
    public async Task<AcquireAnswer> Acquire(AcquireBlob command, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        string[] needs = command.Content is ObjectContent { Object: var id }
            ? [BlobRows.Blob(command.Digest), BlobRows.Reference(command.Digest, command.Repository), BlobRows.Tombstone(id), BlobRows.Doom(id)]
            : [BlobRows.Blob(command.Digest), BlobRows.Reference(command.Digest, command.Repository)];

        // A refusal waits: what it was refused for may have been decided with it, and fail yet.
        var (answer, ticket) = await Rows.DecideEarlyAsync(needs, rows => BlobRules.Acquire(rows, command, now, _lifetimes), answer => answer is Acquired, cancellationToken);
        return answer is Acquired acquired ? acquired with { DependsOn = ticket } : answer;
    }

    /// <inheritdoc/>
    public Task Release(ReleasedReference[] references, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        string[] needs =
        [
            .. references.Select(released => BlobRows.Blob(released.Digest)),
            .. references.Select(released => BlobRows.Reference(released.Digest, released.Repository)),
        ];
        return Rows.DecideAsync(needs, rows => BlobRules.Release(rows, references, now, _lifetimes), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<RenounceAnswer> Renounce(Digest digest, ObjectId @object, DateTimeOffset deadline, CancellationToken cancellationToken) =>
        Rows.DecideAsync(
            [BlobRows.Blob(digest), BlobRows.Tombstone(@object), BlobRows.Doom(@object)],
            rows => BlobRules.Renounce(rows, digest, @object, deadline),
            cancellationToken);

    /// <inheritdoc/>
    public async Task<RepositoryName[]> FindRepositories(Digest digest, RepositoryName? after, int limit, CancellationToken cancellationToken) =>
        (await Rows.ListAsync(BlobRows.ReferencePrefix(digest), after?.Value, limit, RepositoryName.Parse, cancellationToken)).Items;

    /// <inheritdoc/>
    public async Task<ShardDue> Due(int limit, TimeSpan? blobGrace, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var orphansUntil = blobGrace is { } grace ? now + _lifetimes.BlobGrace - grace : now;
        var entries = new List<DueEntry>();
        var more = false;
        await foreach (var row in Rows.ScanAsync(BlobRows.DuePrefix, after: null, cancellationToken))
        {
            var entry = BlobRows.ParseDue(row.Key);
            more = entries.Count == limit;
            if (more || (entry.Time > now && entry.Time > orphansUntil))
            {
                break;
            }

            if (entry.Time <= (entry.Kind == "orphan" ? orphansUntil : now))
            {
                entries.Add(entry);
            }
        }

        return await Rows.ReadAsync([], rows => Gather(rows, entries, now, more), cancellationToken);
    }

    /// <inheritdoc/>
    public Task Settle(ShardSettlement settlement, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        string[] needs =
        [
            .. settlement.Held.Concat(settlement.Dropped).Select(due => BlobRows.Reference(due.Digest, due.Repository)),
            .. settlement.Dropped.Select(due => BlobRows.Blob(due.Digest)),
            .. settlement.Orphans.Select(orphan => BlobRows.Blob(orphan.Digest)),
            .. settlement.Deleted.Select(doomed => BlobRows.Doom(doomed.Object)),
            .. settlement.Remembered.Select(BlobRows.Doom),
            .. settlement.Remembered.Select(BlobRows.Tombstone),
        ];
        return Rows.DecideAsync(needs, rows => BlobRules.Settle(rows, settlement, now, _lifetimes), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<ShardBlob?> Find(Digest digest, CancellationToken cancellationToken)
    {
        var prefix = BlobRows.ReferencePrefix(digest);
        var leases = new List<DueReference>();
        await foreach (var row in Rows.ScanAsync(prefix, after: null, cancellationToken))
        {
            if (leases.Count == NamedRepositories)
            {
                break;
            }

            var reference = ReferenceRow.Decode(row.Value);
            leases.Add(new DueReference(digest, RepositoryName.Parse(row.Key[prefix.Length..]), reference.Sequence, reference.LeaseUntil));
        }

        return await Rows.ReadAsync(
            [BlobRows.Blob(digest)],
            rows => BlobRow.Find(rows, digest) is { } blob ? Describe(digest, blob, [.. leases]) : null,
            cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<ShardPage> List(Digest? after, int limit, CancellationToken cancellationToken)
    {
        var (blobs, unreadable) = (new List<ShardBlob>(), new List<Digest>());
        await foreach (var row in Rows.ScanAsync(BlobRow.Prefix, after is { } last ? BlobRows.Blob(last) : null, cancellationToken))
        {
            var digest = Digest.Parse(row.Key[BlobRow.Prefix.Length..]);
            try
            {
                blobs.Add(Describe(digest, BlobRow.Decode(row.Value), leases: []));
            }
            catch (FormatException)
            {
                unreadable.Add(digest);
            }

            if (blobs.Count + unreadable.Count == limit)
            {
                return new ShardPage([.. blobs], [.. unreadable], digest);
            }
        }

        return new ShardPage([.. blobs], [.. unreadable], After: null);
    }

    /// <inheritdoc/>
    public async Task<bool> Owns(Digest digest, ObjectId @object, CancellationToken cancellationToken) => await Rows.ReadAsync(
        [BlobRows.Blob(digest), BlobRows.Doom(@object)],
        rows => BlobRow.Find(rows, digest)?.Object == @object || DoomRow.Find(rows, @object) is { IsDeleted: false },
        cancellationToken);

    /// <inheritdoc/>
    public async Task<bool> IsClaimed(Digest digest, RepositoryName repository, ObjectId? @object, CancellationToken cancellationToken)
    {
        string[] needs = [BlobRows.Blob(digest), BlobRows.Reference(digest, repository)];

        // A link that rests on a promise of this grain can be seen a moment before what was promised: a no is decided behind it.
        return await Rows.ReadAsync(needs, Read, cancellationToken) || await Rows.DecideAsync(needs, Read, cancellationToken);

        bool Read(RowView rows) => BlobRow.Find(rows, digest) is { } blob && blob.Object == @object && ReferenceRow.Find(rows, digest, repository) is not null;
    }

    /// <inheritdoc/>
    public async Task<bool> IsRowWhole(Digest digest, CancellationToken cancellationToken) => await Rows.ReadAsync(
        [BlobRows.Bytes(digest)],
        rows => BlobBytesRow.Find(rows, digest) is { } content && Digest.Compute(digest.Algorithm, content.Bytes) == digest,
        cancellationToken);

    /// <inheritdoc/>
    public Task<bool> MarkDamaged(Digest digest, ObjectId? @object, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        return Rows.DecideAsync([BlobRows.Blob(digest)], rows => BlobRules.MarkDamaged(rows, digest, @object, now), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<bool> Adopt(Digest digest, ObjectContent found, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        string[] needs = [BlobRows.Blob(digest), BlobRows.Tombstone(found.Object), BlobRows.Doom(found.Object)];
        return Rows.DecideAsync(needs, rows => BlobRules.Adopt(rows, digest, found, now, _lifetimes), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<bool> Repair(Digest digest, CancellationToken cancellationToken)
    {
        // Nothing can change them meanwhile: whoever does has to read the row.
        var references = await Rows.ScanAsync(BlobRows.ReferencePrefix(digest), after: null, cancellationToken).CountAsync(cancellationToken);
        var now = time.GetUtcNow();
        return await Rows.DecideAsync([BlobRows.Blob(digest)], rows => BlobRules.Repair(rows, digest, references, now, _lifetimes), cancellationToken);
    }

    /// <summary>What the entries of the schedule are about, as far as it still is as they say.</summary>
    private static ShardDue Gather(RowView rows, List<DueEntry> entries, DateTimeOffset now, bool more)
    {
        var (references, orphans, corrections) = (new List<DueReference>(), new List<Orphan>(), new List<Correction>());
        var (doomed, remembered) = (new List<DoomedObject>(), new List<ObjectId>());
        foreach (var (due, kind, subject) in entries)
        {
            switch (kind)
            {
                case "ref":
                    var slash = subject.IndexOf('/', StringComparison.Ordinal);
                    var (held, repository) = (Digest.Parse(subject[..slash]), RepositoryName.Parse(subject[(slash + 1)..]));
                    if (Readable(() => ReferenceRow.Find(rows, held, repository)) is { } reference && reference.LeaseUntil <= now && Readable(() => BlobRow.Find(rows, held)) is not null)
                    {
                        references.Add(new DueReference(held, repository, reference.Sequence, reference.LeaseUntil));
                    }

                    break;

                case "orphan":
                    var orphan = Digest.Parse(subject);
                    if (Readable(() => BlobRow.Find(rows, orphan)) is { } blob && blob.OrphanDue == due)
                    {
                        orphans.Add(new Orphan(orphan, blob.Size, due));
                    }

                    break;

                case "doom":
                    var id = ObjectId.Parse(subject);
                    if (Readable(() => DoomRow.Find(rows, id)) is { IsDeleted: false } doom)
                    {
                        doomed.Add(new DoomedObject(id, doom.Digest));
                    }

                    break;

                case "tell":
                    var corrected = Digest.Parse(subject);
                    if (Readable(() => new Correction(corrected, due, BlobRules.Content(rows, corrected), BlobRow.Find(rows, corrected) is { IsDamaged: true })) is { } correction)
                    {
                        corrections.Add(correction);
                    }

                    break;

                default:
                    remembered.Add(ObjectId.Parse(subject));
                    break;
            }
        }

        return new ShardDue([.. references], [.. orphans], [.. doomed], [.. remembered], [.. corrections], more);
    }

    /// <summary>A row, or null if it cannot be read: one damaged row must not keep the others from being seen to. The scrub tells of it.</summary>
    private static T? Readable<T>(Func<T?> find)
        where T : class
    {
        try
        {
            return find();
        }
        catch (FormatException)
        {
            return null;
        }
    }

    private static ShardBlob Describe(Digest digest, BlobRow blob, DueReference[] leases) =>
        new(digest, blob.Object, blob.Size, blob.References, blob.OrphanDue, blob.IsDamaged, leases);
}
