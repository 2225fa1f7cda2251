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
    private readonly LifetimeOptions _lifetimes = lifetimeOptions.Value;

    /// <inheritdoc/>
    protected override PartitionKey PartitionKey => BlobRows.Partition(checked((byte)this.GetPrimaryKeyLong()));

    /// <inheritdoc/>
    public Task<AcquireAnswer> Acquire(AcquireBlob command, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        string[] needs = command.Content is ObjectContent { Object: var id }
            ? [BlobRows.Blob(command.Digest), BlobRows.Reference(command.Digest, command.Repository), BlobRows.Tombstone(id), BlobRows.Doom(id)]
            : [BlobRows.Blob(command.Digest), BlobRows.Reference(command.Digest, command.Repository)];
        return Rows.DecideAsync(needs, rows => BlobRules.Acquire(rows, command, now, _lifetimes), cancellationToken);
    }

    /// <inheritdoc/>
    public Task Release(Digest digest, RepositoryName repository, long sequence, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        return Rows.DecideAsync(
            [BlobRows.Blob(digest), BlobRows.Reference(digest, repository)],
            rows => BlobRules.Release(rows, digest, repository, sequence, now, _lifetimes),
            cancellationToken);
    }

    /// <inheritdoc/>
    public Task<RenounceAnswer> Renounce(Digest digest, ObjectId @object, DateTimeOffset deadline, CancellationToken cancellationToken) =>
        Rows.DecideAsync(
            [BlobRows.Blob(digest), BlobRows.Tombstone(@object), BlobRows.Doom(@object)],
            rows => BlobRules.Renounce(rows, digest, @object, deadline),
            cancellationToken);

    /// <inheritdoc/>
    public async Task<RepositoryName[]> FindRepositories(Digest digest, int limit, CancellationToken cancellationToken)
    {
        var repositories = new List<RepositoryName>();
        var prefix = BlobRows.ReferencePrefix(digest);
        await foreach (var row in Rows.ScanAsync(prefix, after: null, cancellationToken))
        {
            if (repositories.Count == limit)
            {
                break;
            }

            repositories.Add(RepositoryName.Parse(row.Key[prefix.Length..]));
        }

        return [.. repositories];
    }

    /// <inheritdoc/>
    public async Task<ShardDue> Due(int limit, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var (references, orphans, doomed, remembered) = (new List<(Digest, RepositoryName)>(), new List<Digest>(), new List<ObjectId>(), new List<ObjectId>());
        var count = 0;
        await foreach (var row in Rows.ScanAsync(BlobRows.DuePrefix, after: null, cancellationToken))
        {
            var (due, kind, subject) = BlobRows.ParseDue(row.Key);
            if (due > now || count++ == limit)
            {
                break;
            }

            switch (kind)
            {
                case "ref":
                    var slash = subject.IndexOf('/', StringComparison.Ordinal);
                    references.Add((Digest.Parse(subject[..slash]), RepositoryName.Parse(subject[(slash + 1)..])));
                    break;

                case "orphan":
                    orphans.Add(Digest.Parse(subject));
                    break;

                case "doom":
                    doomed.Add(ObjectId.Parse(subject));
                    break;

                default:
                    remembered.Add(ObjectId.Parse(subject));
                    break;
            }
        }

        return await Rows.ReadAsync(
            [],
            rows => new ShardDue(
                [.. references
                    .Select(due => (Due: due, Row: ReferenceRow.Find(rows, due.Item1, due.Item2)))
                    .Where(pair => pair.Row is not null && pair.Row.LeaseUntil <= now)
                    .Select(pair => new DueReference(pair.Due.Item1, pair.Due.Item2, pair.Row!.Sequence, pair.Row.LeaseUntil))],
                [.. orphans],
                [.. doomed
                    .Select(id => (Id: id, Row: DoomRow.Find(rows, id)))
                    .Where(pair => pair.Row is { IsDeleted: false })
                    .Select(pair => new DoomedObject(pair.Id, pair.Row!.Digest))],
                [.. remembered]),
            cancellationToken);
    }

    /// <inheritdoc/>
    public Task Settle(ShardSettlement settlement, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        string[] needs =
        [
            .. settlement.Held.Concat(settlement.Dropped).Select(due => BlobRows.Reference(due.Digest, due.Repository)),
            .. settlement.Dropped.Select(due => BlobRows.Blob(due.Digest)),
            .. settlement.Orphans.Select(BlobRows.Blob),
            .. settlement.Deleted.Select(doomed => BlobRows.Doom(doomed.Object)),
            .. settlement.Remembered.Select(BlobRows.Doom),
            .. settlement.Remembered.Select(BlobRows.Tombstone),
        ];
        return Rows.DecideAsync(needs, rows => BlobRules.Settle(rows, settlement, now, _lifetimes), cancellationToken);
    }
}
