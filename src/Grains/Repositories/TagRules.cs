using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Grains.Repositories.History;
using Granary.Protocol;

namespace Granary.Grains.Repositories;

/// <summary>The rules about tags. Each move of a tag writes a line of the log.</summary>
internal static class TagRules
{
    /// <summary>Returns the refusal of a conditional push; null if the tag meets the condition.</summary>
    public static ConditionFailed? Check(RowView rows, PutManifest command)
    {
        if (command.Condition is null)
        {
            return null;
        }

        var row = TagRow.Find(rows, command.Tags[0]);
        return Meets(row, command.Condition) ? null : new ConditionFailed(row?.Digest);
    }

    /// <summary>Returns whether a tag meets a condition.</summary>
    /// <param name="row">The row of the tag; null if there is no such tag.</param>
    /// <param name="condition">The condition; null for none.</param>
    public static bool Meets(TagRow? row, TagCondition? condition) => condition switch
    {
        null => true,
        TagIsNoneOf { Digests: null } => row is null,
        TagIsNoneOf { Digests: { } digests } => row is null || !digests.Contains(row.Digest),
        TagIsOneOf { Digests: null } => row is not null,
        TagIsOneOf { Digests: { } digests } => row is not null && digests.Contains(row.Digest),
        var unknown => throw new InvalidOperationException($"No rule knows the condition {unknown}; this is a bug, please report it."),
    };

    /// <summary>Points a tag at a manifest. Returns false, and at most records the order, if it points there already.</summary>
    /// <param name="rows">The batch.</param>
    /// <param name="tag">The tag.</param>
    /// <param name="digest">The manifest.</param>
    /// <param name="manifest">What the log says of the manifest.</param>
    /// <param name="change">The change.</param>
    /// <param name="kind">What the log says of the change.</param>
    /// <param name="isNew">Whether the line says that the manifest is new.</param>
    public static bool Point(
        RowBatch rows,
        Tag tag,
        Digest digest,
        LoggedManifest manifest,
        Change change,
        ChangeKind kind = ChangeKind.Tagged,
        bool isNew = false)
    {
        var before = TagRow.Find(rows, tag);
        if (before?.Digest == digest)
        {
            if (change.IsShared)
            {
                // A late copy of this command must not move the tag back after another one has moved it.
                rows.Put(RepositoryRows.Tag(tag), (before with { Order = change.Order }).Encode());
            }

            return false;
        }

        if (before is not null)
        {
            rows.Put(RepositoryRows.Tagged(before.Digest, tag), TaggedRow.Lost(change.Time));
        }

        var last = before is null ? LogRules.TakeGone(rows, tag) : before.Line;
        var line = LogRules.AppendMove(rows, change, kind, tag, before?.Digest, digest, last, manifest, isNew);
        rows.Put(RepositoryRows.Tag(tag), new TagRow(digest, change.Time, change.Origin.RequestId, line, change.Order).Encode());
        rows.Put(RepositoryRows.Tagged(digest, tag), TaggedRow.Current);
        return true;
    }

    /// <summary>Removes a tag. Its manifest stays. Returns false if there is no such tag.</summary>
    public static bool Remove(RowBatch rows, Tag tag, Change change)
    {
        if (TagRow.Find(rows, tag) is not { } row)
        {
            return false;
        }

        var manifest = ManifestRow.Find(rows, row.Digest) is { } found ? LoggedManifest.Of(found) : null;
        Remove(rows, tag, row, manifest, change, ChangeKind.Untagged);
        rows.Put(RepositoryRows.Tagged(row.Digest, tag), TaggedRow.Lost(change.Time));
        return true;
    }

    /// <summary>Removes the tags of a manifest that is removed. Returns false if it has none.</summary>
    public static bool RemoveAll(RowBatch rows, Digest digest, LoggedManifest manifest, Change change)
    {
        var hasTags = false;
        foreach (var (key, value) in rows.Scan(RepositoryRows.TaggedPrefix(digest)))
        {
            var tag = Tag.Parse(RepositoryRows.LastPart(key));
            rows.Delete(key);
            if (TaggedRow.LostAt(value) is null && TagRow.Find(rows, tag) is { } row)
            {
                Remove(rows, tag, row, manifest, change, ChangeKind.Deleted);
                hasTags = true;
            }
        }

        return hasTags;
    }

    private static void Remove(RowBatch rows, Tag tag, TagRow row, LoggedManifest? manifest, Change change, ChangeKind kind)
    {
        rows.Delete(RepositoryRows.Tag(tag));
        Floor.RaiseAfterRemoval(rows, change, row.Order);
        var line = LogRules.AppendMove(rows, change, kind, tag, row.Digest, to: null, row.Line, manifest, order: row.Order);
        LogRules.PutGone(rows, tag, line);
    }
}
