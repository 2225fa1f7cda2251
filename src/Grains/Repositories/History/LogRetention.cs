using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;

namespace Granary.Grains.Repositories.History;

/// <summary>Removes lines of the log that are older than the retention, the oldest first.</summary>
internal sealed class LogRetention(Partition partition, HistoryOptions options)
{
    // Lines that one step removes at most.
    private const int StepSize = 256;

    /// <summary>How long lines are kept.</summary>
    public TimeSpan Length => options.Retention;

    /// <summary>Makes one step. Returns whether more lines are due.</summary>
    public async Task<bool> TrimAsync(DateTimeOffset now, CancellationToken cancellationToken)
    {
        // :: Step 1: read the oldest lines.
        var lines = new List<LogLine>();
        LogLine? following = null;
        await foreach (var row in partition.ScanAsync(LogRows.Prefix, after: null, cancellationToken))
        {
            var line = LogRows.Decode(LogRows.ParseLine(row.Key), row.Value);
            if (lines.Count == StepSize)
            {
                following = line;
                break;
            }

            lines.Add(line);
        }

        // :: Step 2: find out how many are too old. Lines before one that is too old are too, even if their clock was ahead.
        var cut = lines.FindLastIndex(line => line.Time < now - options.Retention) + 1;
        var oldest = cut < lines.Count ? lines[cut] : following;

        // :: Step 3: remove them.
        await partition.DecideAsync(
            oldest is null ? [LogRows.History, LogRows.Prefix] : [LogRows.History],
            batch => Trim(batch, lines.GetRange(0, cut), oldest, now),
            cancellationToken);
        return cut == StepSize && following is not null;
    }

    private bool Trim(RowBatch rows, List<LogLine> old, LogLine? oldest, DateTimeOffset now)
    {
        foreach (var line in old.Where(line => rows.Has(LogRows.Line(line.Position))))
        {
            rows.Delete(LogRows.Line(line.Position));
            if (line.Tag is { } tag && LogRows.FindGone(rows, tag) == line.Position)
            {
                rows.Delete(LogRows.Gone(tag));
            }
        }

        var history = HistoryRow.Find(rows);
        if (oldest is null && rows.Scan(LogRows.Prefix) is [var first, ..])
        {
            // Written since the lines were read.
            oldest = LogRows.Decode(LogRows.ParseLine(first.Key), first.Value);
        }

        // A line whose clock was ahead must not keep others longer than the retention.
        var due = oldest is null ? default : Min(oldest.Time, now) + options.Retention;
        HistoryRow.Store(rows, history, oldest is null ? null : new HistoryRow(due, history?.HasRemovedTags ?? false));
        return true;
    }

    private static DateTimeOffset Min(DateTimeOffset one, DateTimeOffset other) => one < other ? one : other;
}
