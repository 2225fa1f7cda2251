using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Repositories;

/// <summary>The rules about tags. Every move of a tag puts a row of history.</summary>
internal static class TagRules
{
    /// <summary>
    /// Returns the refusal of a conditional push; null if the tag meets the condition, or this request has moved the tag already.
    /// </summary>
    public static ConditionFailed? Check(RowView rows, PutManifest command)
    {
        if (command.Condition is null)
        {
            return null;
        }

        var row = TagRow.Find(rows, command.Tags[0]);
        if (row is not null && row.RequestId == command.RequestId && row.Digest == command.Digest)
        {
            return null;
        }

        var isMet = command.Condition switch
        {
            TagIsNoneOf { Digests: null } => row is null,
            TagIsNoneOf { Digests: { } digests } => row is null || !digests.Contains(row.Digest),
            TagIsOneOf { Digests: null } => row is not null,
            TagIsOneOf { Digests: { } digests } => row is not null && digests.Contains(row.Digest),
            var unknown => throw new InvalidOperationException($"No rule knows the condition {unknown}; this is a bug, please report it."),
        };
        return isMet ? null : new ConditionFailed(row?.Digest);
    }

    /// <summary>Points a tag at a manifest. Changes no row if it points there already.</summary>
    public static void Point(RowBatch rows, Tag tag, Digest digest, Guid requestId, DateTimeOffset timestamp)
    {
        var before = TagRow.Find(rows, tag);
        if (before?.Digest == digest)
        {
            return;
        }

        if (before is not null)
        {
            rows.Delete(RepositoryRows.Tagged(before.Digest, tag));
        }

        rows.Put(RepositoryRows.Tag(tag), new TagRow(digest, timestamp, requestId).Encode());
        rows.Put(RepositoryRows.Tagged(digest, tag), RepositoryRows.Mark);
        rows.Put(RepositoryRows.History(timestamp.UtcTicks, tag), new HistoryRow(before?.Digest, digest).Encode());
    }

    /// <summary>Removes a tag. Returns false if there is no such tag.</summary>
    public static bool Remove(RowBatch rows, Tag tag, DateTimeOffset timestamp)
    {
        if (TagRow.Find(rows, tag) is not { } row)
        {
            return false;
        }

        rows.Delete(RepositoryRows.Tag(tag));
        rows.Delete(RepositoryRows.Tagged(row.Digest, tag));
        rows.Put(RepositoryRows.History(timestamp.UtcTicks, tag), new HistoryRow(row.Digest, To: null).Encode());
        return true;
    }
}
