using Azure;
using Azure.Data.Tables;

namespace Granary.Storage.Azure.Tables;

/// <summary>The requests that the store sends to its table.</summary>
internal sealed class PartitionTable(TableClient table, ThrottleCounter throttled, TimeProvider time)
{
    /// <summary>The header in which the service names an error.</summary>
    public const string ErrorCodeHeader = "x-ms-error-code";

    private const string NoSuchRow = "ResourceNotFound";
    private const int MaxRetries = 3;

    // Longer than the pauses together, so that only an account that does not answer ends the attempts sooner.
    private static readonly TimeSpan RetryWindow = TimeSpan.FromSeconds(6);

    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(50);

    // A partition bears 2,000 entities a second. While its commit waits, the commit loop merges what comes.
    private static readonly TimeSpan FirstPauseIfThrottled = TimeSpan.FromMilliseconds(200);

    /// <summary>Reads an entity; null if it does not exist.</summary>
    public async ValueTask<TableEntity?> FindAsync(string partition, string row, CancellationToken cancellationToken)
    {
        var found = await table.GetEntityIfExistsAsync<TableEntity>(partition, row, cancellationToken: cancellationToken);
        if (found.HasValue)
        {
            return found.Value;
        }

        // The client takes a missing table for a missing entity. A registry would look empty.
        var response = found.GetRawResponse();
        return response.Headers.TryGetValue(ErrorCodeHeader, out var code) && code == NoSuchRow
            ? null
            : throw new RequestFailedException(response);
    }

    /// <summary>Reads the head of a partition; null if the partition does not exist.</summary>
    public async ValueTask<HeadRow?> FindHeadAsync(string partition, CancellationToken cancellationToken) =>
        await FindAsync(partition, TableKeys.Head, cancellationToken) is { } entity ? HeadRow.From(entity) : null;

    /// <summary>Reads the entities that match a filter, in the order of their keys. A page may be empty and not be the last one.</summary>
    public IAsyncEnumerable<Page<TableEntity>> QueryAsync(
        string filter,
        int pageSize,
        IEnumerable<string>? properties,
        CancellationToken cancellationToken) =>
        table.QueryAsync<TableEntity>(filter, pageSize, properties, cancellationToken).AsPages();

    /// <summary>Writes an entity, whether it exists or not.</summary>
    public async Task PutAsync(TableEntity entity, CancellationToken cancellationToken) =>
        await table.UpsertEntityAsync(entity, TableUpdateMode.Replace, cancellationToken);

    /// <summary>Deletes an entity if it exists.</summary>
    public async Task DeleteAsync(string partition, string row, CancellationToken cancellationToken) =>
        await table.DeleteEntityAsync(partition, row, ETag.All, cancellationToken);

    /// <summary>
    /// Commits a transaction. Repeats it if the account is throttled or gives no answer. A repeat after an answer that was lost meets its
    /// own change, and is refused.
    /// </summary>
    /// <param name="actions">The changes, that of the head first.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public async ValueTask<TransactionResult> SubmitAsync(List<TableTransactionAction> actions, CancellationToken cancellationToken)
    {
        var isUncertain = false;
        var start = time.GetTimestamp();
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                var response = await table.SubmitTransactionAsync(actions, cancellationToken);
                return new TransactionResult(response.Value[0].Headers.ETag ?? default, Refusal: null, isUncertain);
            }
            catch (RequestFailedException e) when (IsRefusal(e))
            {
                return new TransactionResult(default, e, isUncertain);
            }
            catch (Exception e) when (AzureFaults.IsTransient(e, cancellationToken))
            {
                var isThrottled = e is RequestFailedException failure && AzureFaults.IsThrottled(failure.Status, failure.ErrorCode);
                if (isThrottled)
                {
                    throttled.Add();
                }

                isUncertain |= e is not RequestFailedException { Status: 429 };
                if (attempt == MaxRetries || time.GetElapsedTime(start) > RetryWindow)
                {
                    throw;
                }

                await Task.Delay((isThrottled ? FirstPauseIfThrottled : FirstPause) * (1 << attempt), time, cancellationToken);
            }
        }
    }

    // 412: the head is another. 409: the head exists. 404: the head or a row to delete does not exist.
    private static bool IsRefusal(RequestFailedException failure) =>
        failure.Status is 412 or 409 or 404 && !AzureFaults.IsMissingContainer(failure);
}
