using Azure.Data.Tables;
using Granary.Storage.Partitions;

namespace Granary.Storage.Azure.Tables;

/// <summary>Commits batches.</summary>
internal sealed class TableCommitter(PartitionTable table, RedoApplier redo, SettledHeads heads)
{
    /// <summary>Commits a batch, as <see cref="IPartitionStore.CommitAsync"/> says.</summary>
    /// <remarks>
    /// <list type="number">
    /// <item>If one transaction does not hold the batch, write the rest as redo rows.</item>
    /// <item>One transaction moves the head and applies as many changes as it holds. With it the whole batch is committed.</item>
    /// <item>Apply the rest, and delete the redo rows.</item>
    /// </list>
    /// </remarks>
    public async ValueTask<Head> CommitAsync(
        PartitionKey partition,
        string code,
        Head expected,
        IReadOnlyList<Mutation> batch,
        CancellationToken cancellationToken)
    {
        var next = new HeadRow(expected.NextVersion, CommitName.New())
        {
            LastDelete = batch.Any(mutation => mutation.Value is null) ? expected.NextVersion : 0,
        };
        var first = TransactionLimit.EndOf(batch, 0);
        if (first == batch.Count)
        {
            return (await MoveHeadAsync(partition, code, expected, next, batch, cancellationToken)).ToHead();
        }

        // :: Step 1. Listed before the head moves: a process that still writes one of these rows cannot move the head after this one did.
        var garbage = await redo.ListAsync(code, cancellationToken);
        var written = await redo.WriteAsync(code, next.Commit, batch, first, cancellationToken);

        // :: Step 2.
        HeadRow moved;
        try
        {
            var begin = next with { RedoRows = written.Length, LastSplit = next.Version };
            moved = await MoveHeadAsync(partition, code, expected, begin, [.. batch.Take(first)], cancellationToken);
        }
        catch (HeadMovedException)
        {
            await redo.DeleteAsync(code, written, cancellationToken);
            throw;
        }

        // :: Step 3.
        var settled = await redo.FinishAsync(code, moved, [.. batch.Skip(first)], cancellationToken);
        await redo.DeleteAsync(code, written.Concat(garbage), cancellationToken);

        // A later commit, if there is one already, refuses the next one of this caller by the old ETag.
        return (settled ?? moved).ToHead();
    }

    private async ValueTask<HeadRow> MoveHeadAsync(
        PartitionKey partition,
        string code,
        Head expected,
        HeadRow next,
        IReadOnlyList<Mutation> changes,
        CancellationToken cancellationToken)
    {
        List<TableTransactionAction> actions =
        [
            next.ToAction(code, expected.Version == 0 ? null : HeadRow.ETagOf(expected)),
            .. changes.Select(change => StoredRow.ToAction(code, change, next.Version)),
        ];
        while (true)
        {
            var result = await table.SubmitAsync(actions, cancellationToken);
            if (result.Refusal is null)
            {
                return next with { ETag = result.ETag };
            }

            var latest = await table.FindHeadAsync(code, cancellationToken);
            if (latest is { IsDropped: true } && expected.Version == 0)
            {
                // The partition does not exist, but its last rows have not gone.
                await heads.FindAsync(code, cancellationToken);
                continue;
            }

            return latest?.Commit == next.Commit ? latest : throw Refuse(partition, expected, latest, result);
        }
    }

    private static Exception Refuse(PartitionKey partition, Head expected, HeadRow? latest, TransactionResult result)
    {
        if (latest is null ? expected.Version == 0 : latest.Is(expected))
        {
            return new StorageException(
                StorageFault.Damaged,
                $"The table refuses the changes of partition '{partition}' ({result.Refusal!.Status} {result.Refusal.ErrorCode}): "
                + "they delete a row that does not exist, so rows of the partition contradict each other. Run a scrub.",
                result.Refusal);
        }

        // The attempt that was refused changed nothing. One that got no answer may have made the version before the latest one.
        return !result.IsUncertain || latest is { IsDropped: false } && latest.Version == expected.NextVersion
            ? new HeadMovedException(partition, expected)
            : new StorageException(
                StorageFault.Unavailable,
                $"Partition '{partition}' has changed while the storage account did not answer. "
                + "The commit may have taken effect. Try again.",
                result.Refusal);
    }
}
