using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Leases;
using Granary.Grains.Partitions;
using Granary.Protocol;
using Granary.Storage.Partitions;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Orleans.Placement;

namespace Granary.Grains.Blobs;

/// <inheritdoc cref="IBlobShardGrain"/>
[HashBasedPlacement]
internal sealed class BlobShardGrain(
    IPartitionStore store,
    IOptions<LifetimeOptions> lifetimeOptions,
    TimeProvider time,
    ILogger<BlobShardGrain> logger) : PartitionGrain(store, time, logger), IBlobShardGrain
{
    // An explanation names so many. More would not help its reader.
    private const int NamedRepositories = 20;

    private readonly LifetimeOptions _lifetimes = lifetimeOptions.Value;

    /// <inheritdoc/>
    protected override PartitionKey PartitionKey => BlobRows.Partition(checked((byte)this.GetPrimaryKeyLong()));

    /// <inheritdoc/>
    public async Task<AcquireAnswer> Acquire(AcquireBlob command, CancellationToken cancellationToken)
    {
        var now = Time.GetUtcNow();
        var reference = BlobRows.Reference(command.Digest, command.Repository);
        string[] needs = command.Content is ObjectContent { Object: var id }
            ? [BlobRows.Blob(command.Digest), reference, BlobRows.Tombstone(id), BlobRows.Doom(id)]
            : [BlobRows.Blob(command.Digest), reference];

        // A refusal waits for the commit: its reason may be in the same batch, which can still fail.
        var (answer, ticket) = await Partition.DecideEarlyAsync(
            needs,
            rows => AcquireRules.Acquire(rows, command, now, _lifetimes),
            isEarly: answer => answer is Acquired,
            cancellationToken);
        return answer is Acquired acquired ? acquired with { DependsOn = ticket } : answer;
    }

    /// <inheritdoc/>
    public Task Release(ReleasedReference[] references, CancellationToken cancellationToken)
    {
        var now = Time.GetUtcNow();
        string[] needs =
        [
            .. references.Select(released => BlobRows.Blob(released.Digest)),
            .. references.Select(released => BlobRows.Reference(released.Digest, released.Repository)),
        ];
        return Partition.DecideAsync(needs, rows => ReferenceRules.Release(rows, references, now, _lifetimes), cancellationToken);
    }

    /// <inheritdoc/>
    public Task<RenounceAnswer> Renounce(Digest digest, ObjectId @object, DateTimeOffset deadline, CancellationToken cancellationToken) =>
        Partition.DecideAsync(
            [BlobRows.Blob(digest), BlobRows.Tombstone(@object), BlobRows.Doom(@object)],
            rows => RenounceRules.Renounce(rows, digest, @object, deadline),
            cancellationToken);

    /// <inheritdoc/>
    public async Task<RepositoryName[]> FindRepositories(
        Digest digest,
        RepositoryName? after,
        int limit,
        CancellationToken cancellationToken) =>
        (await Partition.ListAsync(BlobRows.ReferencePrefix(digest), after?.Value, limit, RepositoryName.Parse, cancellationToken)).Items;

    /// <inheritdoc/>
    public async Task<ShardDue> Due(int limit, TimeSpan? blobGrace, CancellationToken cancellationToken)
    {
        var now = Time.GetUtcNow();
        var orphansUntil = blobGrace is { } grace ? now + _lifetimes.BlobGrace - grace : now;
        var entries = new List<DueEntry>();
        var more = false;
        await foreach (var row in Partition.ScanAsync(BlobRows.DuePrefix, after: null, cancellationToken))
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

        return await Partition.ReadAsync([], rows => DueRules.Gather(rows, entries, now, more), cancellationToken);
    }

    /// <inheritdoc/>
    public Task Settle(ShardSettlement settlement, CancellationToken cancellationToken)
    {
        var now = Time.GetUtcNow();
        string[] needs =
        [
            .. settlement.Confirmed.Concat(settlement.Denied).Select(due => BlobRows.Reference(due.Digest, due.Repository)),
            .. settlement.Denied.Select(due => BlobRows.Blob(due.Digest)),
            .. settlement.Orphans.Select(orphan => BlobRows.Blob(orphan.Digest)),
            .. settlement.Deleted.Select(doomed => BlobRows.Doom(doomed.Object)),
            .. settlement.Tombstones.Select(BlobRows.Doom),
            .. settlement.Tombstones.Select(BlobRows.Tombstone),
        ];
        return Partition.DecideAsync(needs, rows => SettleRules.Settle(rows, settlement, now, _lifetimes), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<ShardBlob?> Find(Digest digest, CancellationToken cancellationToken)
    {
        var prefix = BlobRows.ReferencePrefix(digest);
        var leases = new List<DueReference>();
        await foreach (var row in Partition.ScanAsync(prefix, after: null, cancellationToken))
        {
            if (leases.Count == NamedRepositories)
            {
                break;
            }

            var reference = LeaseRow.Decode(row.Value);
            leases.Add(new DueReference(digest, RepositoryName.Parse(row.Key[prefix.Length..]), reference.Sequence, reference.Until));
        }

        return await Partition.ReadAsync(
            [BlobRows.Blob(digest)],
            rows => BlobRow.Find(rows, digest) is { } blob ? Describe(digest, blob, [.. leases]) : null,
            cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<ShardPage> List(Digest? after, int limit, CancellationToken cancellationToken)
    {
        var (blobs, unreadable) = (new List<ShardBlob>(), new List<Digest>());
        await foreach (var row in Partition.ScanAsync(BlobRow.Prefix, after is { } last ? BlobRows.Blob(last) : null, cancellationToken))
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
    public async Task<bool> Owns(Digest digest, ObjectId @object, CancellationToken cancellationToken) => await Partition.ReadAsync(
        [BlobRows.Blob(digest), BlobRows.Doom(@object)],
        rows => BlobRow.Find(rows, digest)?.Object == @object || DoomRow.Find(rows, @object) is { IsDeleted: false },
        cancellationToken);

    /// <inheritdoc/>
    public async Task<bool> IsReferenced(Digest digest, RepositoryName repository, ObjectId? @object, CancellationToken cancellationToken)
    {
        string[] needs = [BlobRows.Blob(digest), BlobRows.Reference(digest, repository)];

        // After an early answer of Acquire, a link can be visible before this cache has its reference. A negative answer goes through the
        // commit queue, or the scrub would report a reference as missing that is about to be committed.
        return await Partition.ReadAsync(needs, Read, cancellationToken) || await Partition.DecideAsync(needs, Read, cancellationToken);

        bool Read(RowView rows) => BlobRow.Find(rows, digest) is { } blob && blob.Object == @object
            && LeaseRow.Find(rows, new ReferenceLease(digest, repository)) is not null;
    }

    /// <inheritdoc/>
    public async Task<bool> IsRowWhole(Digest digest, CancellationToken cancellationToken) => await Partition.ReadAsync(
        [BlobRows.Bytes(digest)],
        rows => BlobBytesRow.Find(rows, digest) is { } content && Digest.Compute(digest.Algorithm, content.Bytes) == digest,
        cancellationToken);

    /// <inheritdoc/>
    public Task<bool> MarkDamaged(Digest digest, ObjectId? @object, CancellationToken cancellationToken)
    {
        var now = Time.GetUtcNow();
        return Partition.DecideAsync(
            [BlobRows.Blob(digest)],
            rows => DamageRules.MarkDamaged(rows, digest, @object, now),
            cancellationToken);
    }

    /// <inheritdoc/>
    public Task<bool> Adopt(Digest digest, ObjectContent found, CancellationToken cancellationToken)
    {
        var now = Time.GetUtcNow();
        string[] needs = [BlobRows.Blob(digest), BlobRows.Tombstone(found.Object), BlobRows.Doom(found.Object)];
        return Partition.DecideAsync(needs, rows => DamageRules.Adopt(rows, digest, found, now, _lifetimes), cancellationToken);
    }

    /// <inheritdoc/>
    public async Task<bool> Repair(Digest digest, CancellationToken cancellationToken)
    {
        // No command can change the references meanwhile: each of them reads the row, and fails.
        var prefix = BlobRows.ReferencePrefix(digest);
        var references = await Partition.ScanAsync(prefix, after: null, cancellationToken).CountAsync(cancellationToken);
        var now = Time.GetUtcNow();
        return await Partition.DecideAsync(
            [BlobRows.Blob(digest)],
            rows => DamageRules.Repair(rows, digest, references, now, _lifetimes),
            cancellationToken);
    }

    private static ShardBlob Describe(Digest digest, BlobRow blob, DueReference[] leases) =>
        new(digest, blob.Object, blob.Size, blob.References, blob.OrphanDue, blob.IsDamaged, leases);
}
