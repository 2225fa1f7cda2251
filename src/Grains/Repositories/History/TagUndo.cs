using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Repositories.History;

/// <summary>Points a tag at a manifest that it pointed at before.</summary>
internal sealed class TagUndo(Partition partition, RepositoryLog log, SweepSchedule schedule)
{
    // The search for the line that says when a manifest was removed. About a tenth of a second.
    private const int MaxSearched = 100_000;

    /// <inheritdoc cref="IRepositoryGrain.UndoTag"/>
    public async Task<UndoTagAnswer> UndoAsync(UndoTag command, Change change, CancellationToken cancellationToken)
    {
        // :: Step 1: find the manifest that the command names in the history of the tag. Lines never change, so this needs no decision.
        if (await log.FindLastAsync(command.Tag, cancellationToken) is not { } last)
        {
            return new UndoTagUnknown();
        }

        LogLine? target = null;
        if ((command.Digest is not null || command.Line is not null)
            && (target = await FindTargetAsync(command, last, cancellationToken)) is null)
        {
            return new UndoTargetUnknown();
        }

        // :: Step 2: move the tag.
        var answer = await schedule.DecideAsync(
            [RepositoryRows.Tag(command.Tag), LogRows.History],
            batch => UndoRules.Decide(batch, command, target, change),
            cancellationToken);

        // :: Step 3: the answer is that of a cached read if nothing has changed; or the manifest is gone: find out since when.
        if (answer is UndoManifestGone { Deletion: null, Digest: var gone })
        {
            return new UndoManifestGone(gone, await FindDeletionAsync(gone, target?.Position ?? last, cancellationToken));
        }

        if (answer is not TagUndone { Line: not null })
        {
            await partition.ProveCurrentAsync(cancellationToken);
        }

        return answer;
    }

    private async Task<LogLine?> FindTargetAsync(UndoTag command, LogPosition last, CancellationToken cancellationToken)
    {
        if (command.Line is { } position)
        {
            return await log.FindAsync(position, cancellationToken) is { } named && named.Tag == command.Tag ? named : null;
        }

        LogPosition? next = last;
        while (next is { } at && await log.FindAsync(at, cancellationToken) is { } line)
        {
            if (line.Digest == command.Digest)
            {
                return line;
            }

            next = line.Before;
        }

        return null;
    }

    /// <summary>
    /// Finds the line that says when a manifest was removed. The tag pointed at it until the line with which the search begins, or longer,
    /// so it was not removed before.
    /// </summary>
    private async Task<LogLine?> FindDeletionAsync(Digest digest, LogPosition since, CancellationToken cancellationToken)
    {
        var found = await log.FindAsync(since, cancellationToken) is { } first && IsDeletion(first, digest) ? first : null;
        var searched = 0;
        await foreach (var line in log.ReadAsync(since, cancellationToken))
        {
            if (IsDeletion(line, digest))
            {
                found = line;
            }

            if (++searched == MaxSearched)
            {
                break;
            }
        }

        return found;
    }

    private static bool IsDeletion(LogLine line, Digest digest) => line.Kind == ChangeKind.Deleted && line.Previous == digest;
}
