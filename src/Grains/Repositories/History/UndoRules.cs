using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Repositories.History;

/// <summary>The rules about undoing a move of a tag: those of a push of a manifest that the repository has.</summary>
internal static class UndoRules
{
    /// <summary>Moves a tag back.</summary>
    /// <param name="rows">The batch.</param>
    /// <param name="command">The command.</param>
    /// <param name="target">The line after which the tag pointed at the wanted manifest; null undoes the last line.</param>
    /// <param name="change">The change.</param>
    public static UndoTagAnswer Decide(RowBatch rows, UndoTag command, LogLine? target, Change change)
    {
        var row = TagRow.Find(rows, command.Tag);
        if ((row is null ? LogRows.FindGone(rows, command.Tag) : row.Line) is not { } last)
        {
            return new UndoTagUnknown();
        }

        var newest = FindLine(rows, last);
        if (newest is { Origin: { Cause: ChangeCause.Undo, RequestId: var request }, Digest: { } done }
            && request == change.Origin.RequestId)
        {
            // An earlier attempt of the same request has done it.
            return new TagUndone(newest.Previous, done, last);
        }

        if (!TagRules.Meets(row, command.Condition))
        {
            return new UndoConditionFailed(row?.Digest);
        }

        if (target is null && newest is null)
        {
            // The last line was removed after the retention.
            return new UndoTargetUnknown();
        }

        return (target is null ? newest!.Previous : target.Digest) is { } digest
            ? Restore(rows, command.Tag, row, digest, change)
            : new UndoToNothing();
    }

    private static UndoTagAnswer Restore(RowBatch rows, Tag tag, TagRow? row, Digest digest, Change change)
    {
        if (ManifestRow.Find(rows, digest) is not { } manifest)
        {
            return new UndoManifestGone(digest, Deletion: null);
        }

        Digest[] missing = [.. ManifestRules.Names(rows, digest, manifest).All.Where(name => IsMissing(rows, name))];
        if (missing.Length > 0)
        {
            return new UndoContentMissing(digest, missing);
        }

        var isMoved = TagRules.Point(rows, tag, digest, LoggedManifest.Of(manifest), change);
        return new TagUndone(row?.Digest, digest, isMoved ? TagRow.Find(rows, tag)!.Line : null);
    }

    // The repository may keep a manifest without content that it names: sparse images, and foreign layers. Then the content has no link, but
    // a count of uses, as content has that was deleted although it was used. An undo does not tell them apart, so only blobs in quarantine
    // count as missing.
    private static bool IsMissing(RowView rows, Digest name) => LinkRow.Find(rows, name) is { IsDamaged: true };

    private static LogLine? FindLine(RowView rows, LogPosition position) =>
        rows.Get(LogRows.Line(position)) is { } value ? LogRows.Decode(position, value) : null;
}
