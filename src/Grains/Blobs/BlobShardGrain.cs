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
}
