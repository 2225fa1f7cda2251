using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Repositories.History;

/// <summary>
/// Finds out whether an earlier attempt of a command was done: a line of the log has its request (<c>request</c>). Only repeats are looked
/// for, so a command that succeeds at once pays nothing.
/// </summary>
internal sealed class DoneCommands(Partition partition, RepositoryLog log)
{
    // Lines of one tag that the search reads at most. The tag moved so often within the seconds in which a command is repeated.
    private const int MaxChain = 4096;

    // Versions of the repository in which the search looks for a command without a tag: it goes back in these steps.
    private static readonly long[] Steps = [64, 1024, 8192];

    /// <summary>Searches the lines that there are now. The decision looks at those that are written meanwhile.</summary>
    /// <param name="command">The command.</param>
    /// <param name="tags">The tags that it moves; empty if it moves none, or does not know which.</param>
    /// <param name="cancellationToken">Ends the search.</param>
    public async ValueTask<DoneSearch> FindAsync(RepositoryCommand command, IReadOnlyList<Tag> tags, CancellationToken cancellationToken)
    {
        if (!command.IsRepeat)
        {
            return DoneSearch.NotNeeded;
        }

        var version = partition.NextVersion - 1;
        LogLine? found = null;
        for (var i = 0; i < tags.Count && found is null; i++)
        {
            found = await FindInChainAsync(command, tags[i], cancellationToken);
        }

        if (tags.Count == 0)
        {
            found = await FindInLogAsync(command.Origin.RequestId, version, cancellationToken);
        }

        return new DoneSearch(command.Origin.RequestId, version, found);
    }

    /// <summary>
    /// Goes back over the lines of a tag. Their orders never rise on the way, so none before the command began is its own.
    /// </summary>
    private async ValueTask<LogLine?> FindInChainAsync(RepositoryCommand command, Tag tag, CancellationToken cancellationToken)
    {
        var next = await log.FindLastAsync(tag, cancellationToken);
        for (var read = 0; read < MaxChain && next is { } position; read++)
        {
            if (await log.FindAsync(position, cancellationToken) is not { } line || line.Order < command.FirstOrder)
            {
                return null;
            }

            if (line.Origin.RequestId == command.Origin.RequestId)
            {
                return line;
            }

            next = line.Before;
        }

        return null;
    }

    private async ValueTask<LogLine?> FindInLogAsync(Guid request, long newest, CancellationToken cancellationToken)
    {
        var high = long.MaxValue;
        foreach (var step in Steps)
        {
            var low = newest - step;
            var after = low < 0 ? default(LogPosition?) : new LogPosition(low, int.MaxValue);
            await foreach (var line in log.ReadAsync(after, cancellationToken))
            {
                if (line.Position.Version > high)
                {
                    break;
                }

                if (line.Origin.RequestId == request)
                {
                    return line;
                }
            }

            if (low < 0)
            {
                return null;
            }

            high = low;
        }

        return null;
    }
}

/// <summary>What <see cref="DoneCommands"/> has found.</summary>
/// <param name="request">The request.</param>
/// <param name="version">The version up to which the search has seen all lines.</param>
/// <param name="found">The line of the request; null if there is none up to that version.</param>
internal sealed class DoneSearch(Guid request, long version, LogLine? found)
{
    /// <summary>The search for a command that is no repeat: an earlier attempt does not exist.</summary>
    public static DoneSearch NotNeeded { get; } = new(Guid.Empty, long.MaxValue, found: null);

    /// <summary>Returns whether an earlier attempt was done.</summary>
    public bool IsDone(RowBatch rows) => FindLine(rows) is not null;

    /// <summary>Returns the first line that an earlier attempt has written; null if none was done.</summary>
    public LogLine? FindLine(RowBatch rows)
    {
        if (found is not null)
        {
            return found;
        }

        for (var later = version + 1; version < long.MaxValue && later <= rows.Version; later++)
        {
            foreach (var (key, value) in rows.Scan(LogRows.VersionPrefix(later)))
            {
                var line = LogRows.Decode(LogRows.ParseLine(key), value);
                if (line.Origin.RequestId == request)
                {
                    return line;
                }
            }
        }

        return null;
    }
}
