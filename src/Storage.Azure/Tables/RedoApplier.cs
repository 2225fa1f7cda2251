using Azure.Data.Tables;
using Granary.Storage.Partitions;

namespace Granary.Storage.Azure.Tables;

/// <summary>
/// Applies the rest of a batch that its head names, step by step, each under the ETag of the head. The committer does it, and any process
/// that meets such a head helps, since the committer may be dead.
/// </summary>
internal sealed class RedoApplier(PartitionTable table)
{
    private const int Parallelism = 8;

    /// <summary>Writes the redo rows for the changes from a place on. Returns their keys.</summary>
    public async Task<string[]> WriteAsync(
        string partition,
        string commit,
        IReadOnlyList<Mutation> batch,
        int start,
        CancellationToken cancellationToken)
    {
        var entities = RedoLog.ToEntities(partition, commit, batch, start);
        await Parallel.ForEachAsync(
            entities,
            Options(cancellationToken),
            async (entity, token) => await table.PutAsync(entity, token));
        return [.. entities.Select(entity => entity.RowKey)];
    }

    /// <summary>Applies the rest of a batch that another process committed, and deletes its redo rows.</summary>
    public async ValueTask HelpAsync(string partition, HeadRow head, CancellationToken cancellationToken)
    {
        await FinishAsync(partition, head, rest: null, cancellationToken);
        var keys = Enumerable.Range(0, head.RedoRows).Select(number => RedoLog.KeyOf(head.Commit, number));
        await DeleteAsync(partition, keys, cancellationToken);
    }

    /// <summary>Returns when the rest of the batch is applied, by this process or by others.</summary>
    /// <param name="partition">The code of the partition.</param>
    /// <param name="head">The head that names the rest.</param>
    /// <param name="rest">The rest if the caller has it; null to read it.</param>
    /// <param name="cancellationToken">Cancels the call. Another process will go on.</param>
    /// <returns>The settled head of the batch; null if a later commit has replaced it.</returns>
    public async ValueTask<HeadRow?> FinishAsync(
        string partition,
        HeadRow head,
        IReadOnlyList<Mutation>? rest,
        CancellationToken cancellationToken)
    {
        HeadRow? latest = head;
        while (latest is { RedoRows: > 0 } && latest.Commit == head.Commit)
        {
            rest ??= await ReadAsync(partition, latest, cancellationToken);
            latest = rest is null
                ? await table.FindHeadAsync(partition, cancellationToken)
                : await StepAsync(partition, latest, rest, cancellationToken);
        }

        return latest?.Commit == head.Commit ? latest : null;
    }

    /// <summary>Lists the redo rows of a partition, those that a dead process left included.</summary>
    public async Task<List<string>> ListAsync(string partition, CancellationToken cancellationToken)
    {
        var keys = new List<string>();
        var filter = $"PartitionKey eq '{partition}' and RowKey ge '{TableKeys.RedoPrefix}' and RowKey lt '{TableKeys.FirstCode}'";
        await foreach (var page in table.QueryAsync(filter, pageSize: 1000, ["RowKey"], cancellationToken))
        {
            keys.AddRange(page.Values.Select(entity => entity.RowKey));
        }

        return keys;
    }

    /// <summary>
    /// Deletes redo rows that no head names and no head will name. If the table fails, the next large batch of the partition deletes them.
    /// </summary>
    public async Task DeleteAsync(string partition, IEnumerable<string> keys, CancellationToken cancellationToken)
    {
        try
        {
            await Parallel.ForEachAsync(
                keys,
                Options(cancellationToken),
                async (key, token) => await table.DeleteAsync(partition, key, token));
        }
        catch (Exception e) when (AzureFaults.IsFault(e, cancellationToken))
        {
            // The batch is committed all the same.
        }
    }

    private static ParallelOptions Options(CancellationToken cancellationToken) =>
        new() { MaxDegreeOfParallelism = Parallelism, CancellationToken = cancellationToken };

    private async Task<HeadRow?> StepAsync(
        string partition,
        HeadRow head,
        IReadOnlyList<Mutation> rest,
        CancellationToken cancellationToken)
    {
        // The head keeps a place and not the number of a step: a process of another release may take more or fewer rows in a step.
        var end = TransactionLimit.EndOf(rest, head.Next);
        var isLast = end == rest.Count;
        var next = head with { Next = isLast ? 0 : end, RedoRows = isLast ? 0 : head.RedoRows };
        List<Mutation> changes = [.. rest.Skip(head.Next).Take(end - head.Next)];
        while (true)
        {
            List<TableTransactionAction> actions =
            [
                next.ToAction(partition, head.ETag),
                .. changes.Select(change => StoredRow.ToAction(partition, change, head.Version)),
            ];
            var result = await table.SubmitAsync(actions, cancellationToken);
            if (result.Refusal is null)
            {
                return next with { ETag = result.ETag };
            }

            var latest = await table.FindHeadAsync(partition, cancellationToken);
            if (latest?.ETag != head.ETag || !await RemoveVainDeletesAsync(partition, changes, cancellationToken))
            {
                return latest;
            }
        }
    }

    // Without this, a batch that deletes a row that does not exist could never be applied, and its partition never be read again. Under one
    // ETag of the head the rows do not change, so what is absent stays absent.
    private async Task<bool> RemoveVainDeletesAsync(string partition, List<Mutation> changes, CancellationToken cancellationToken)
    {
        var deletes = changes.Where(change => change.Value is null).ToArray();
        var isPresent = new bool[deletes.Length];
        await Parallel.ForAsync(
            0,
            deletes.Length,
            Options(cancellationToken),
            async (i, token) => isPresent[i] = await table.FindAsync(partition, TableKeys.Encode(deletes[i].Key), token) is not null);
        var vain = deletes.Where((_, i) => !isPresent[i]).Select(change => change.Key).ToHashSet(StringComparer.Ordinal);
        return changes.RemoveAll(change => vain.Contains(change.Key)) > 0;
    }

    /// <summary>Reads the rest of a batch. Returns null if the head has moved on.</summary>
    private async Task<IReadOnlyList<Mutation>?> ReadAsync(string partition, HeadRow head, CancellationToken cancellationToken)
    {
        var entities = new TableEntity?[head.RedoRows];
        await Parallel.ForAsync(
            0,
            entities.Length,
            Options(cancellationToken),
            async (i, token) => entities[i] = await table.FindAsync(partition, RedoLog.KeyOf(head.Commit, i), token));
        if (Array.TrueForAll(entities, entity => entity is not null))
        {
            return RedoLog.Read(entities!);
        }

        // Another process has applied the rest meanwhile, and removed the redo rows.
        var latest = await table.FindHeadAsync(partition, cancellationToken);
        return latest is not { RedoRows: > 0 } || latest.Commit != head.Commit
            ? null
            : throw new StorageException(
                StorageFault.Damaged,
                $"Redo rows of partition '{TableKeys.Decode(partition)}' are missing, so that its last batch cannot be applied. "
                + "Another program has written to the table; restore the partition from a backup.");
    }
}
