using Azure;
using Azure.Data.Tables;
using Granary.Storage.Partitions;

namespace Granary.Storage.Azure.Tables;

/// <summary>Removes partitions.</summary>
/// <remarks>
/// One transaction removes the head and 99 rows. A larger partition goes in steps. The first step marks its head as dropped; from then on
/// the partition does not exist, and any process that meets the mark helps. The last step removes the head. Each step is under the ETag of
/// the head, so a late helper removes nothing of a partition that was made again under the key.
/// </remarks>
internal sealed class PartitionDrop(PartitionTable table)
{
    /// <summary>Drops a partition.</summary>
    /// <exception cref="HeadMovedException">The head is another one.</exception>
    public async ValueTask DropAsync(PartitionKey partition, string code, Head expected, CancellationToken cancellationToken)
    {
        var mark = new HeadRow(expected.Version, CommitName.New(), HeadRow.ETagOf(expected)) { IsDropped = true };
        if (!await RemoveAsync(code, mark, isMarked: false, cancellationToken))
        {
            throw new HeadMovedException(partition, expected);
        }
    }

    /// <summary>Finishes what another process began.</summary>
    public async ValueTask FinishAsync(string partition, HeadRow mark, CancellationToken cancellationToken) =>
        await RemoveAsync(partition, mark, isMarked: true, cancellationToken);

    /// <summary>Removes all rows and the head. Returns false if the head was another one from the beginning.</summary>
    private async Task<bool> RemoveAsync(string partition, HeadRow mark, bool isMarked, CancellationToken cancellationToken)
    {
        while (true)
        {
            var keys = await ListAsync(partition, cancellationToken);
            var isLast = keys.Count <= TransactionLimit.Rows;
            List<TableTransactionAction> actions =
            [
                isLast ? HeadRow.DeleteAction(partition, mark.ETag) : mark.ToAction(partition, mark.ETag),
                .. keys.Take(TransactionLimit.Rows).Select(key => new TableTransactionAction(
                    TableTransactionActionType.Delete,
                    new TableEntity(partition, key),
                    ETag.All)),
            ];
            var result = await table.SubmitAsync(actions, cancellationToken);
            if (result.Refusal is null)
            {
                if (isLast)
                {
                    return true;
                }

                (mark, isMarked) = (mark with { ETag = result.ETag }, true);
                continue;
            }

            var latest = await table.FindHeadAsync(partition, cancellationToken);
            if (latest?.ETag == mark.ETag)
            {
                // A redo row has gone meanwhile.
                continue;
            }

            if (latest?.Commit != mark.Commit)
            {
                // No head any more: this process removed it and did not get the answer, or a helper did.
                return isMarked || (latest is null && result.IsUncertain);
            }

            (mark, isMarked) = (latest, true);
        }
    }

    /// <summary>Lists one more row than a transaction holds, if there are so many.</summary>
    private async Task<List<string>> ListAsync(string partition, CancellationToken cancellationToken)
    {
        var keys = new List<string>();
        var filter = $"PartitionKey eq '{partition}' and RowKey gt '{TableKeys.Head}'";
        await foreach (var page in table.QueryAsync(filter, TransactionLimit.Rows + 1, ["RowKey"], cancellationToken))
        {
            keys.AddRange(page.Values.Select(entity => entity.RowKey));
            if (keys.Count > TransactionLimit.Rows)
            {
                break;
            }
        }

        return keys;
    }
}
