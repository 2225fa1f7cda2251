using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Repositories.History;

/// <summary>
/// The rules about the log. A line is committed together with the change that it tells of: both are durable, or neither is. A decision that
/// changes nothing writes no line.
/// </summary>
internal static class LogRules
{
    /// <summary>Writes a line about a move of a tag. Returns its position.</summary>
    /// <param name="rows">The batch.</param>
    /// <param name="change">The change.</param>
    /// <param name="kind">What changes.</param>
    /// <param name="tag">The tag.</param>
    /// <param name="from">The manifest that the tag pointed at; null if it is new.</param>
    /// <param name="to">The manifest that it points at; null if it is removed.</param>
    /// <param name="before">The last line about the tag; null if there is none.</param>
    /// <param name="manifest">The manifest <paramref name="to"/>, or the one that is removed; null if it is not known.</param>
    /// <param name="isNew">Whether the manifest is new in the repository, and no other line of the command says so.</param>
    /// <param name="order">The order of the tag before the change.</param>
    public static LogPosition AppendMove(
        RowBatch rows,
        Change change,
        ChangeKind kind,
        Tag tag,
        Digest? from,
        Digest? to,
        LogPosition? before,
        LoggedManifest? manifest,
        bool isNew = false,
        long order = 0) => Append(rows, change, kind, tag, from, to, before, manifest, isNew, order);

    /// <summary>Writes a line about a manifest that was pushed or removed without a tag.</summary>
    public static void AppendManifest(
        RowBatch rows,
        Change change,
        ChangeKind kind,
        Digest digest,
        LoggedManifest manifest,
        bool isNew = false)
    {
        Digest? from = kind == ChangeKind.Deleted ? digest : null;
        Digest? to = kind == ChangeKind.Deleted ? null : digest;
        Append(rows, change, kind, tag: null, from, to, before: null, manifest, isNew);
    }

    /// <summary>Writes a line about the repository.</summary>
    public static void AppendRepository(RowBatch rows, Change change, ChangeKind kind) =>
        Append(rows, change, kind, tag: null, from: null, to: null, before: null, manifest: null, isNew: false);

    /// <summary>Records that a tag was removed, so that its history is found without it.</summary>
    public static void PutGone(RowBatch rows, Tag tag, LogPosition last)
    {
        rows.Put(LogRows.Gone(tag), LogRows.EncodeGone(last));
        var history = HistoryRow.Find(rows)!;
        HistoryRow.Store(rows, history, history with { HasRemovedTags = true });
    }

    /// <summary>Returns the last line about a tag that was removed, and forgets it, because the tag comes back.</summary>
    public static LogPosition? TakeGone(RowBatch rows, Tag tag)
    {
        // Most repositories never removed a tag: then a push of a new tag does not read the row.
        if (HistoryRow.Find(rows) is not { HasRemovedTags: true } || LogRows.FindGone(rows, tag) is not { } position)
        {
            return null;
        }

        rows.Delete(LogRows.Gone(tag));
        return position;
    }

    /// <summary>
    /// Returns whether the next line puts a <c>due/</c> row that is due before the entry of the log in a schedule: the repository has to be
    /// registered first, or the sweep would find the row too late.
    /// </summary>
    public static bool NeedsSchedule(RowView rows, Change change) =>
        HistoryRow.Find(rows) is not { } history || history.Due > change.Time + change.Retention;

    /// <summary>
    /// Returns whether a collection looks at the log: lines are too old, or its due row is later than the newest line needs, since it was
    /// made under a longer retention.
    /// </summary>
    public static bool IsDue(DateTimeOffset due, DateTimeOffset now, TimeSpan retention) => due <= now || due > now + retention;

    private static LogPosition Append(
        RowBatch rows,
        Change change,
        ChangeKind kind,
        Tag? tag,
        Digest? from,
        Digest? to,
        LogPosition? before,
        LoggedManifest? manifest,
        bool isNew,
        long order = 0)
    {
        var position = new LogPosition(rows.Version, rows.NextNumber());
        var line = new LogLine
        {
            Position = position,
            Kind = kind,
            Origin = change.Origin,
            Time = change.Clock.Next(change.Time),
            Tag = tag,
            Digest = to,
            Previous = from,
            Before = before,
            MediaType = manifest?.MediaType,
            Size = manifest?.Size ?? 0,
            Subject = manifest?.Subject,
            ArtifactType = manifest?.ArtifactType,
            IsNew = isNew,
            Order = Math.Max(change.Order, order),
        };
        rows.Put(LogRows.Line(position), LogRows.Encode(line));
        var history = HistoryRow.Find(rows);

        // A row that is due later than this line needs was made under a longer retention.
        var due = line.Time + change.Retention;
        if (history is null || history.Due > due)
        {
            HistoryRow.Store(rows, history, new HistoryRow(due, history?.HasRemovedTags ?? false));
        }

        return position;
    }
}

/// <summary>What a line says of a manifest.</summary>
/// <param name="MediaType">Its media type.</param>
/// <param name="Size">Its size in bytes.</param>
/// <param name="Subject">Its subject; null if it has none.</param>
/// <param name="ArtifactType">Its artifact type, if it has a subject.</param>
internal sealed record LoggedManifest(string MediaType, long Size, Digest? Subject, string? ArtifactType)
{
    public static LoggedManifest Of(PutManifest command) =>
        new(command.MediaType, command.Body.Length, command.Subject, command.Subject is null ? null : command.ArtifactType);

    public static LoggedManifest Of(ManifestRow row) => new(row.MediaType, row.Size, row.Subject, ArtifactType: null);
}
