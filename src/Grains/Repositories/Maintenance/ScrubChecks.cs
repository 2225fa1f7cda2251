using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Repositories.Maintenance;

/// <summary>The checks and repairs that a scrub makes in a repository.</summary>
internal sealed class ScrubChecks(Partition partition, RepositoryName name, LinkGuard guard, IGrainFactory grains)
{
    /// <summary>Returns whether an exception says that the value of a row cannot be decoded.</summary>
    public static bool IsDamage(Exception exception) => exception is FormatException or ArgumentException or OverflowException;

    /// <inheritdoc cref="IRepositoryMaintenanceGrain.ListLinks"/>
    public async Task<LinkedBlob[]> ListLinksAsync(Digest? after, int limit, CancellationToken cancellationToken)
    {
        var links = new List<LinkedBlob>();
        var start = after is { } last ? RepositoryRows.Link(last) : null;
        await foreach (var row in partition.ScanAsync(RepositoryRows.LinkPrefix, start, cancellationToken))
        {
            var link = LinkRow.Decode(row.Value);
            links.Add(new LinkedBlob(RepositoryRows.LastDigest(row.Key), link.Object, link.Size));
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
        var start = after is { } previous ? RepositoryRows.Manifest(previous) : null;
        await foreach (var row in partition.ScanAsync(RepositoryRows.ManifestPrefix, start, cancellationToken))
        {
            var digest = RepositoryRows.LastDigest(row.Key);
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
    public Task CorrectAsync(Digest digest, BlobContent content, bool isDamaged, CancellationToken cancellationToken) =>
        partition.DecideAsync(
            [RepositoryRows.Link(digest)],

            // Without a link, a command may be about to commit one with the old content, so it has to acquire the reference again.
            batch => LinkRules.Correct(batch, digest, content, isDamaged) || guard.Refuse(batch, digest.Value),
            cancellationToken);

    /// <inheritdoc cref="IRepositoryMaintenanceGrain.RestoreReference"/>
    public async Task<bool> RestoreReferenceAsync(Digest digest, CancellationToken cancellationToken)
    {
        var content = await partition.ReadAsync(
            [RepositoryRows.Link(digest), RepositoryRows.Bytes(digest)],
            rows => LinkRules.Content(rows, digest),
            cancellationToken);
        if (content is null)
        {
            return false;
        }

        // The link exists before the reference here. That is safe: an unlink from now on has a later version, so its Release removes the
        // reference.
        var command = new AcquireBlob(digest, content, name, partition.NextVersion, DateTimeOffset.MaxValue);
        var answer = await grains.GetGrain<IBlobShardGrain>(digest.FirstByte).Acquire(command, cancellationToken);
        if (answer is not Acquired acquired)
        {
            return false;
        }

        await CommitAsync(digest, content, acquired, cancellationToken);
        return true;
    }

    /// <summary>Waits for the commit of the reference, and takes over the content that the shard knows.</summary>
    private async Task CommitAsync(Digest digest, BlobContent content, Acquired acquired, CancellationToken cancellationToken)
    {
        if (acquired.DependsOn is { } ticket)
        {
            await partition.DecideAsync([], _ => true, dependsOn: [ticket], cancellationToken);
        }

        if (acquired.Content is ObjectContent known && known != content)
        {
            await CorrectAsync(digest, known, isDamaged: false, cancellationToken);
        }
    }

    private async Task<bool> IsWholeAsync(Digest digest, ReadOnlyMemory<byte> value, CancellationToken cancellationToken)
    {
        try
        {
            var manifest = ManifestRow.Decode(value);
            string[] rest = [.. manifest.Rest(digest)];

            // A manifest that was deleted since the scan is not damaged.
            return await partition.ReadAsync(
                [RepositoryRows.Manifest(digest), .. rest],
                rows => !rows.Has(RepositoryRows.Manifest(digest))
                    || (rest.All(rows.Has) && ManifestRules.IsWhole(rows, digest, manifest)),
                cancellationToken);
        }
        catch (Exception e) when (IsDamage(e))
        {
            return false;
        }
    }
}
