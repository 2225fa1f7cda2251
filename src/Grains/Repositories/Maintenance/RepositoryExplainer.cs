using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Repositories.Maintenance;

/// <summary>Explains why a repository keeps some content.</summary>
internal sealed class RepositoryExplainer(Partition partition)
{
    // Tags, manifests and referrers in an explanation, each. An administrator does not read more.
    private const int MaxNamed = 20;

    // After so many manifests the search yields, so that other calls to the grain get a turn.
    private const int ManifestsPerTurn = 256;

    /// <inheritdoc cref="IRepositoryMaintenanceGrain.Explain"/>
    public async Task<RepositoryExplanation> ExplainAsync(Digest digest, CancellationToken cancellationToken)
    {
        var (tags, untagged) = await FindTagsAsync(digest, cancellationToken);
        var users = await FindUsersAsync(digest, MaxNamed, long.MaxValue, cancellationToken);
        var referrers = await FirstAsync(RepositoryRows.SubPrefix(digest), Digest.Parse, cancellationToken);
        return await partition.ReadAsync(
            [RepositoryRows.Manifest(digest), RepositoryRows.Link(digest)],
            rows => Explain(rows, digest) with { Tags = tags, Untagged = untagged, UsedBy = [.. users], Referrers = referrers },
            cancellationToken);
    }

    /// <summary>Returns manifests that name some content.</summary>
    /// <param name="digest">The content.</param>
    /// <param name="limit">How many manifests to return at most.</param>
    /// <param name="searched">How many manifests of the repository to search at most.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    public async Task<List<Digest>> FindUsersAsync(Digest digest, int limit, long searched, CancellationToken cancellationToken)
    {
        var (users, seen) = (new List<Digest>(), 0L);
        await foreach (var row in partition.ScanAsync(RepositoryRows.ManifestPrefix, after: null, cancellationToken))
        {
            var manifest = RepositoryRows.LastDigest(row.Key);
            if (await DoesNameAsync(manifest, row.Value, digest, cancellationToken))
            {
                users.Add(manifest);
            }

            if (users.Count == limit || ++seen == searched)
            {
                break;
            }

            if (seen % ManifestsPerTurn == 0)
            {
                await Task.Yield();
            }
        }

        return users;
    }

    /// <summary>Returns the first tags that point at a manifest, or when it lost the last one.</summary>
    private async Task<(Tag[] Tags, DateTimeOffset? Untagged)> FindTagsAsync(Digest digest, CancellationToken cancellationToken)
    {
        var tags = new List<Tag>();
        var untagged = default(DateTimeOffset?);
        await foreach (var row in partition.ScanAsync(RepositoryRows.TaggedPrefix(digest), after: null, cancellationToken))
        {
            if (TaggedRow.LostAt(row.Value) is { } lost)
            {
                untagged = untagged > lost ? untagged : lost;
                continue;
            }

            tags.Add(Tag.Parse(RepositoryRows.LastPart(row.Key)));
            if (tags.Count == MaxNamed)
            {
                break;
            }
        }

        return ([.. tags], tags.Count == 0 ? untagged : null);
    }

    private async Task<T[]> FirstAsync<T>(string prefix, Func<string, T> parse, CancellationToken cancellationToken) =>
        (await partition.ListAsync(prefix, after: null, MaxNamed, parse, cancellationToken)).Items;

    private static RepositoryExplanation Explain(RowView rows, Digest digest)
    {
        var manifest = ManifestRow.Find(rows, digest);
        var link = LinkRow.Find(rows, digest);
        return new RepositoryExplanation
        {
            Tags = [],
            UsedBy = [],
            Referrers = [],
            Pushed = manifest?.Pushed,
            Subject = manifest?.Subject,
            IsSubjectHere = manifest?.Subject is { } subject && rows.Has(RepositoryRows.Manifest(subject)),
            BlobSize = link?.Size,
            Uses = link?.Uses ?? 0,
            Renewed = link?.Renewed,
            Due = link?.Due,
            IsDamaged = link?.IsDamaged ?? false,
        };
    }

    /// <summary>
    /// Returns whether a manifest names some content. A manifest that cannot be read counts as one that does not; the scrub reports it.
    /// </summary>
    private async ValueTask<bool> DoesNameAsync(
        Digest manifest,
        ReadOnlyMemory<byte> value,
        Digest content,
        CancellationToken cancellationToken)
    {
        try
        {
            return await partition.ReadAsync([], rows => ManifestRules.DoesName(rows, manifest, value, content), cancellationToken);
        }
        catch (Exception e) when (ScrubChecks.IsDamage(e))
        {
            return false;
        }
    }
}
