using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Repositories.History;

/// <summary>Reads the history of a tag: the chain of its lines, the newest first.</summary>
internal sealed class TagHistoryReader(Partition partition, RepositoryLog log, CollectionOptions collection)
{
    /// <inheritdoc cref="IRepositoryGrain.ReadTagHistory"/>
    public async Task<TagHistory?> ReadAsync(Tag tag, LogPosition? from, int limit, CancellationToken cancellationToken)
    {
        if (await log.FindLastAsync(tag, cancellationToken) is not { } last)
        {
            return null;
        }

        var entries = new List<TagHistoryEntry>();
        LogPosition? next = from ?? last;
        while (next is { } position && entries.Count < Math.Min(limit, TagHistory.MaxLimit))
        {
            if (await log.FindAsync(position, cancellationToken) is not { } line || line.Tag != tag)
            {
                // The caller may name any line. One in the chain is missing only after the retention.
                return entries.Count == 0 && from is not null
                    ? null
                    : new TagHistory(await FindCurrentAsync(tag, cancellationToken), [.. entries], Next: null, IsCut: true);
            }

            entries.Add(await DescribeAsync(line, cancellationToken));
            next = line.Before;
        }

        return new TagHistory(await FindCurrentAsync(tag, cancellationToken), [.. entries], next, IsCut: false);
    }

    private ValueTask<Digest?> FindCurrentAsync(Tag tag, CancellationToken cancellationToken) =>
        partition.ReadAsync([RepositoryRows.Tag(tag)], rows => TagRow.Find(rows, tag)?.Digest, cancellationToken);

    private async ValueTask<TagHistoryEntry> DescribeAsync(LogLine line, CancellationToken cancellationToken)
    {
        if (line.Digest is not { } digest)
        {
            return new TagHistoryEntry(line, IsHere: false, KeptUntil: null);
        }

        var (isHere, keptUntil) = await partition.ReadAsync(
            [RepositoryRows.Manifest(digest)],
            rows => Describe(rows, digest),
            cancellationToken);
        return new TagHistoryEntry(line, isHere, keptUntil);
    }

    private (bool IsHere, DateTimeOffset? KeptUntil) Describe(RowView rows, Digest digest)
    {
        if (ManifestRow.Find(rows, digest) is not { } row)
        {
            return (false, null);
        }

        return collection.Untagged && !ManifestRules.IsNamed(rows, digest)
            ? (true, ManifestRules.UntaggedSince(rows, digest, row) + collection.UntaggedAge)
            : (true, null);
    }
}
