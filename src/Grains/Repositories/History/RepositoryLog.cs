using System.Runtime.CompilerServices;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Repositories.History;

/// <summary>The log of a repository, as the grain sees it: the clock of its lines, and the history of a tag.</summary>
internal sealed class RepositoryLog(Partition partition, HistoryOptions options, TimeProvider time)
{
    // No line of a version has a number after this.
    private const int AfterLastNumber = int.MaxValue;

    private readonly LogClock _clock = new();
    private bool _isPrepared;

    /// <summary>
    /// Returns what rules need for their lines. The first call in an activation reads the time of the last line, so that times do not fall.
    /// </summary>
    public async ValueTask<Change> BeginAsync(RepositoryCommand command, CancellationToken cancellationToken)
    {
        var change = await BeginAsync(command.Origin, cancellationToken);
        return change with
        {
            Order = command.Order,
            ValidUntil = command.ValidUntil,
            IsShared = partition.OthersMayWrite,
            Now = time,
        };
    }

    /// <inheritdoc cref="BeginAsync(RepositoryCommand, CancellationToken)"/>
    public async ValueTask<Change> BeginAsync(CommandOrigin origin, CancellationToken cancellationToken)
    {
        if (!_isPrepared)
        {
            await PrepareAsync(cancellationToken);
        }

        return new Change(origin, time.GetUtcNow(), _clock, options.Retention);
    }

    /// <summary>Returns a line; null if it was removed. Lines are not cached: they would push out rows that pulls ask for.</summary>
    public async ValueTask<LogLine?> FindAsync(LogPosition position, CancellationToken cancellationToken)
    {
        await foreach (var row in partition.ScanAsync(LogRows.Line(position), after: null, cancellationToken))
        {
            return LogRows.Decode(position, row.Value);
        }

        return null;
    }

    /// <summary>Returns lines in the order of commits.</summary>
    /// <param name="after">The line after which they begin; null for the oldest.</param>
    /// <param name="cancellationToken">Ends the read.</param>
    public async IAsyncEnumerable<LogLine> ReadAsync(
        LogPosition? after,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var start = after is { } position ? LogRows.Line(position) : null;
        await foreach (var row in partition.ScanAsync(LogRows.Prefix, start, cancellationToken))
        {
            yield return LogRows.Decode(LogRows.ParseLine(row.Key), row.Value);
        }
    }

    /// <summary>Returns the position of the last line about a tag; null if there is none.</summary>
    public ValueTask<LogPosition?> FindLastAsync(Tag tag, CancellationToken cancellationToken) => partition.ReadAsync(
        [RepositoryRows.Tag(tag)],
        rows => TagRow.Find(rows, tag) is { } row ? row.Line : LogRows.FindGone(rows, tag),
        cancellationToken);

    private async ValueTask PrepareAsync(CancellationToken cancellationToken)
    {
        // A new repository has no rows, and no other activation can have written some that this one may build on.
        if (partition.NextVersion > 1
            && await partition.ReadAsync([LogRows.History], rows => rows.Has(LogRows.History), cancellationToken)
            && await FindLastAsync(cancellationToken) is { } last
            && !_isPrepared)
        {
            // Another command may have prepared the clock during this read, and written lines that are newer.
            _clock.Continue(last.Time);
        }

        _isPrepared = true;
    }

    /// <summary>Finds the last line: goes back from the newest version in steps that double, and then bisects.</summary>
    private async Task<LogLine?> FindLastAsync(CancellationToken cancellationToken)
    {
        // :: Step 1: find the first line of the last version. There is a line after version low, and found is the first of those. There is
        // none after high.
        LogLine? found = null;
        var (low, high) = (partition.NextVersion - 1, partition.NextVersion - 1);
        for (var step = 1L; found is null && low >= 0; step *= 2)
        {
            (high, low) = (low, low - step);
            found = await FirstAfterAsync(low, cancellationToken);
        }

        while (found is not null && found.Position.Version < high)
        {
            var middle = found.Position.Version + ((high - found.Position.Version) / 2);
            if (await FirstAfterAsync(middle, cancellationToken) is { } later)
            {
                found = later;
            }
            else
            {
                high = middle;
            }
        }

        // :: Step 2: the last line of that version. Commands that share a commit have times of their own.
        if (found is { Position: var first })
        {
            await foreach (var line in ReadAsync(first, cancellationToken))
            {
                found = line;
            }
        }

        return found;
    }

    private async ValueTask<LogLine?> FirstAfterAsync(long version, CancellationToken cancellationToken)
    {
        var after = version < 0 ? default(LogPosition?) : new LogPosition(version, AfterLastNumber);
        await foreach (var line in ReadAsync(after, cancellationToken))
        {
            return line;
        }

        return null;
    }
}
