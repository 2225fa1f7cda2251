using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Repositories.History;

/// <summary>Points a tag at a manifest that it pointed at before, by the rule of order.</summary>
internal sealed class TagUndo(Partition partition, RepositoryLog log, DoneCommands done, SweepSchedule schedule)
{
    // The search for the line that says when a manifest was removed. About a tenth of a second.
    private const int MaxSearched = 100_000;

    // The tag may move between the search and the decision that refuses. So often during one command is a defect.
    private const int MaxAttempts = 16;

    /// <inheritdoc cref="IRepositoryGrain.UndoTag"/>
    public async Task<UndoTagAnswer> UndoAsync(UndoTag command, Change change, CancellationToken cancellationToken)
    {
        var search = await done.FindAsync(command, [command.Tag], cancellationToken);
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            // :: Step 1: find the manifest that the command names in the history of the tag. Lines never change, so this needs no
            // decision.
            var last = await log.FindLastAsync(command.Tag, cancellationToken);
            var target = last is { } end && IsNamed(command) ? await FindTargetAsync(command, end, cancellationToken) : null;

            // :: Step 2: move the tag, or refuse.
            UndoTagAnswer? refusal = last is null ? new UndoTagUnknown()
                : IsNamed(command) && target is null ? new UndoTargetUnknown()
                : null;
            if (refusal is not null && !change.IsShared && !command.IsRepeat)
            {
                return refusal;
            }

            var ruling = refusal is null
                ? await schedule.DecideAsync(Needs(command), batch => Decide(batch, command, target, change, search), cancellationToken)
                : await partition.DecideAsync(
                    Needs(command),
                    batch => UndoRules.FindEnd(batch, command.Tag) == last ? Refuse(batch, change, search, refusal) : new(null),
                    cancellationToken);
            if (await ruling.ProveAsync(partition, cancellationToken) is { } answer)
            {
                return await CompleteAsync(answer, target?.Position ?? last, change, cancellationToken);
            }
        }

        throw new PartitionUnavailableException(
            PartitionFault.Unavailable,
            $"Tag '{command.Tag}' moved {MaxAttempts} times during one command; try again.");
    }

    private static string[] Needs(UndoTag command) => [RepositoryRows.Meta, RepositoryRows.Tag(command.Tag), LogRows.History];

    private static bool IsNamed(UndoTag command) => command.Digest is not null || command.Line is not null;

    private static Ruling<UndoTagAnswer?> Decide(RowBatch batch, UndoTag command, LogLine? target, Change change, DoneSearch search)
    {
        if (Begin(batch, change, search, TagRow.Find(batch, command.Tag)?.Order ?? 0) is { } decided)
        {
            return decided;
        }

        var answer = UndoRules.Decide(batch, command, target, change);
        return answer is TagUndone
            ? new Ruling<UndoTagAnswer?>(answer)
            : OrderRules.Unchanged<UndoTagAnswer?>(batch, change, answer);
    }

    private static Ruling<UndoTagAnswer?> Refuse(RowBatch batch, Change change, DoneSearch search, UndoTagAnswer refusal) =>
        Begin(batch, change, search, touched: 0) ?? OrderRules.Unchanged<UndoTagAnswer?>(batch, change, refusal);

    private static Ruling<UndoTagAnswer?>? Begin(RowBatch batch, Change change, DoneSearch search, long touched) =>
        search.FindLine(batch) is { Digest: { } digest } line
            ? OrderRules.Unchanged<UndoTagAnswer?>(batch, change, new TagUndone(line.Previous, digest, line.Position))
            : OrderRules.Refuse<UndoTagAnswer?>(batch, change, touched);

    private async Task<UndoTagAnswer> CompleteAsync(
        UndoTagAnswer answer,
        LogPosition? since,
        Change change,
        CancellationToken cancellationToken)
    {
        // :: Step 3: the manifest is gone: find out since when.
        if (answer is UndoManifestGone { Deletion: null, Digest: var gone })
        {
            return new UndoManifestGone(gone, await FindDeletionAsync(gone, since!.Value, cancellationToken));
        }

        if (answer is not TagUndone { Line: not null } && !change.IsShared)
        {
            // The answer is that of a cached read.
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
