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
        // :: Step 1: find the lines that are too old. A line whose clock was ahead goes with the first one after it that is too old.
        var (lines, seen, old) = (new List<LogLine>(), 0, 0);
        LogLine? next = null;
        await foreach (var row in partition.ScanAsync(LogRows.Prefix, after: null, cancellationToken))
        {
            var line = LogRows.Decode(LogRows.ParseLine(row.Key), row.Value);
            if (seen++ < StepSize)
            {
                lines.Add(line);
            }

            if (line.Time < now - options.Retention)
            {
                old = seen;
            }

            // The first line that stays and whose clock was not ahead says when the next ones go. A line after it whose clock was behind
            // must not take it away.
            if (old > StepSize || (old < seen && line.Time <= now))
            {
                next = line;
                break;
            }
        }

        // :: Step 2: remove them.
        var due = (next?.Time ?? now) + options.Retention;
        var cut = Math.Min(old, StepSize);
        var isLast = cut == seen;
        await partition.DecideAsync(
            isLast ? [LogRows.History, LogRows.Prefix] : [LogRows.History],
            batch => Trim(batch, lines.GetRange(0, cut), isLast, due, now),
            cancellationToken);
        return old > StepSize;
    }

    private bool Trim(RowBatch rows, List<LogLine> old, bool isLast, DateTimeOffset due, DateTimeOffset now)
    {
        foreach (var line in old.Where(line => rows.Has(LogRows.Line(line.Position))))
        {
            rows.Delete(LogRows.Line(line.Position));
            if (line.Tag is { } tag && LogRows.FindGone(rows, tag) == line.Position)
            {
                rows.Delete(LogRows.Gone(tag));
            }
        }

        // A command may have written a line since they were read.
        var history = HistoryRow.Find(rows);
        var after = isLast && rows.Scan(LogRows.Prefix) is []
            ? null
            : new HistoryRow(isLast ? now + options.Retention : due, history?.HasRemovedTags ?? false);
        HistoryRow.Store(rows, history, after);
        if (after is null && !rows.Has(RepositoryRows.Meta) && rows.Has(RepositoryRows.Floor))
        {
            // The last copy of a command to the deleted repository has ended long before the retention.
            rows.Delete(RepositoryRows.Floor);
        }

        return true;
    }
}
