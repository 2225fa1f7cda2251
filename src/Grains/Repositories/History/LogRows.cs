using System.Globalization;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Repositories.History;

/// <summary>
/// The rows of a repository's log:
/// <code>
/// log/&lt;version&gt;/&lt;number&gt;    a line: one change, in the commit that made the version
/// gone/&lt;tag&gt;               the last line about a tag that was removed
/// history                  exists while there are lines: when the sweep removes the oldest, whether tags were removed
/// due/&lt;time&gt;/log          when the sweep removes the oldest lines
/// </code>
/// The row <c>tag/&lt;tag&gt;</c> of a tag that exists names its last line. Each line names the line before it about the same tag. So the
/// history of a tag is a chain of lines. Lines that an earlier release wrote have version 0.
/// </summary>
internal static class LogRows
{
    public const string Prefix = "log/";
    public const string History = "history";

    // Version 1 has no order.
    private const byte LineVersion = 2;
    private const int VersionLength = 16;

    public static string Line(LogPosition position) =>
        string.Create(CultureInfo.InvariantCulture, $"{Prefix}{position.Version:x16}/{position.Number:x8}");

    /// <summary>Returns the start of the keys of all lines of a version.</summary>
    public static string VersionPrefix(long version) => string.Create(CultureInfo.InvariantCulture, $"{Prefix}{version:x16}/");

    public static string Gone(Tag tag) => "gone/" + tag.Value;

    public static LogPosition ParseLine(string key)
    {
        var rest = key.AsSpan(Prefix.Length);
        return new LogPosition(KeyTime.Number(rest[..VersionLength]), (int)KeyTime.Number(rest[(VersionLength + 1)..]));
    }

    /// <summary>Returns the value of a line. Its position is in its key.</summary>
    public static ReadOnlyMemory<byte> Encode(LogLine line)
    {
        var origin = line.Origin;
        return new RowWriter(LineVersion, capacity: 320)
            .Number((byte)line.Kind | ((long)origin.Cause << 8) | ((line.IsNew ? 1L : 0L) << 16))
            .Time(line.Time)
            .Sender(origin)
            .Text(line.Tag?.Value)
            .Digest(line.Digest)
            .Digest(line.Previous)
            .Position(line.Before)
            .Text(line.MediaType)
            .Number(line.Size)
            .Digest(line.Subject)
            .Text(line.ArtifactType)
            .Number(line.Order)
            .ToValue();
    }

    /// <exception cref="FormatException">The row is damaged, or a newer release wrote it.</exception>
    public static LogLine Decode(LogPosition position, ReadOnlyMemory<byte> value)
    {
        var reader = new RowReader(value, LineVersion);
        var (what, time) = (reader.Number(), reader.Time());
        var origin = reader.Sender((ChangeCause)((what >> 8) & 0xff));
        var (tag, digest, previous, before) = (reader.Text(), reader.Digest(), reader.Digest(), reader.Position());
        return new LogLine
        {
            Position = position,
            Kind = (ChangeKind)(what & 0xff),
            Time = time,
            Tag = tag is null ? null : Tag.Parse(tag),
            Digest = digest,
            Previous = previous,
            Before = before,
            MediaType = reader.Text(),
            Size = reader.Number(),
            Subject = reader.Digest(),
            ArtifactType = reader.Text(),
            IsNew = (what >> 16) != 0,
            Origin = origin,
            Order = reader.Version > 1 ? reader.Number() : 0,
        };
    }

    /// <summary>Returns the last line about a tag that was removed; null if there is none.</summary>
    public static LogPosition? FindGone(RowView rows, Tag tag)
    {
        if (rows.Get(Gone(tag)) is not { } value)
        {
            return null;
        }

        var reader = new RowReader(value, 1);
        return reader.Position();
    }

    public static ReadOnlyMemory<byte> EncodeGone(LogPosition position) => new RowWriter(1, 13).Position(position).ToValue();

    /// <summary>Writes a position, or null.</summary>
    public static RowWriter Position(this RowWriter writer, LogPosition? position) =>
        position is { } at ? writer.Number(at.Version).Number(at.Number) : writer.Number(-1);

    /// <summary>Reads a position, or null.</summary>
    public static LogPosition? Position(this ref RowReader reader) =>
        reader.Number() is >= 0 and var version ? new LogPosition(version, (int)reader.Number()) : null;
}

/// <summary>The row <c>history</c>.</summary>
/// <param name="Due">The time of the row <c>due/…/log</c>.</param>
/// <param name="HasRemovedTags">Whether there may be rows <c>gone/…</c>.</param>
internal sealed record HistoryRow(DateTimeOffset Due, bool HasRemovedTags)
{
    public static HistoryRow? Find(RowView rows)
    {
        if (rows.Get(LogRows.History) is not { } value)
        {
            return null;
        }

        var reader = new RowReader(value, 1);
        return new HistoryRow(reader.Time(), reader.Flag());
    }

    /// <summary>Stores the row, and moves its due row with it. Null removes both.</summary>
    public static void Store(RowBatch rows, HistoryRow? before, HistoryRow? after)
    {
        if (before == after)
        {
            return;
        }

        if (before is not null && before.Due != after?.Due)
        {
            rows.Delete(RepositoryRows.DueLog(before.Due));
        }

        if (after is null)
        {
            rows.Delete(LogRows.History);
            return;
        }

        rows.Put(LogRows.History, new RowWriter(1, 10).Time(after.Due).Flag(after.HasRemovedTags).ToValue());
        if (after.Due != before?.Due)
        {
            rows.Put(RepositoryRows.DueLog(after.Due), RepositoryRows.Mark);
        }
    }
}
