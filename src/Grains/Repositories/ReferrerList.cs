using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Repositories;

/// <summary>Lists the referrers of a subject in pages.</summary>
internal sealed class ReferrerList(Partition partition)
{
    // The bytes of the rows of one page. As JSON they are about as large or larger, and the gateway cuts a page at 4 MiB of JSON.
    private const int MaxPageBytes = 4 * 1024 * 1024;
    private const int MaxPageCount = 10_000;

    /// <inheritdoc cref="IRepositoryGrain.ListReferrers"/>
    public async Task<ReferrerPage> ListAsync(Digest subject, string? artifactType, Digest? after, CancellationToken cancellationToken)
    {
        var referrers = new List<Referrer>();
        var bytes = 0L;
        Referrer? before = null;
        var start = after is { } last ? RepositoryRows.Sub(subject, last) : null;
        await foreach (var row in partition.ScanAsync(RepositoryRows.SubPrefix(subject), start, cancellationToken))
        {
            var found = ReferrerRow.Decode(row.Key, row.Value, before);
            before = found.Listed;
            if (artifactType is not null && found.Listed.ArtifactType != artifactType)
            {
                continue;
            }

            // The annotations of a partial row are in the manifest, so its size bounds them.
            var size = row.Key.Length + row.Value.Length + (found.IsPartial ? found.Listed.Size : 0);
            if (referrers.Count > 0 && (bytes + size > MaxPageBytes || referrers.Count == MaxPageCount))
            {
                return new ReferrerPage([.. referrers], More: true);
            }

            if (await CompleteAsync(found, cancellationToken) is { } listed)
            {
                referrers.Add(listed);
                bytes += size;
            }
        }

        return new ReferrerPage([.. referrers], More: false);
    }

    /// <summary>Returns the entry with its annotations; null if they are in a manifest that was deleted meanwhile.</summary>
    private async ValueTask<Referrer?> CompleteAsync(ReferrerRow row, CancellationToken cancellationToken)
    {
        if (!row.IsPartial)
        {
            return row.Listed;
        }

        var digest = row.Listed.Digest;
        var key = RepositoryRows.Manifest(digest);
        var found = await partition.ReadAsync([key], rows => ManifestRules.Find(rows, digest, withBody: true), cancellationToken);
        return found is not null && Manifest.TryParse(found.Body, found.MediaType, out var manifest, out _)
            ? row.Listed with { Annotations = manifest.Annotations }
            : null;
    }
}
