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
        if (FindEnd(rows, command.Tag) is not { } last)
        {
            return new UndoTagUnknown();
        }

        var newest = FindLine(rows, last);
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
            ? Restore(rows, command, row, digest, change)
            : new UndoToNothing();
    }

    /// <summary>Returns the position of the last line about a tag; null if there is none.</summary>
    public static LogPosition? FindEnd(RowView rows, Tag tag) =>
        TagRow.Find(rows, tag) is { } row ? row.Line : LogRows.FindGone(rows, tag);

    private static UndoTagAnswer Restore(RowBatch rows, UndoTag command, TagRow? row, Digest digest, Change change)
    {
        if (ManifestRow.Find(rows, digest) is not { } manifest)
        {
            return new UndoManifestGone(digest, Deletion: null);
        }

        var missing = command.Sparse ? [] : FindMissing(rows, digest, manifest);
        if (missing.Length > 0)
        {
            return new UndoContentMissing(digest, missing);
        }

        var isMoved = TagRules.Point(rows, command.Tag, digest, LoggedManifest.Of(manifest), change);
        return new TagUndone(row?.Digest, digest, isMoved ? TagRow.Find(rows, command.Tag)!.Line : null);
    }

    private static Digest[] FindMissing(RowView rows, Digest digest, ManifestRow row) =>
        Manifest.TryParse(ManifestRules.Body(rows, digest, row), row.MediaType, out var manifest, out _)
            ? ManifestRules.FindMissing(rows, manifest.Blobs, manifest.Children)
            : [];

    private static LogLine? FindLine(RowView rows, LogPosition position) =>
        rows.Get(LogRows.Line(position)) is { } value ? LogRows.Decode(position, value) : null;
}
