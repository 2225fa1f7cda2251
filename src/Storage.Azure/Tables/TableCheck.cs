using Azure;
using Azure.Data.Tables;

namespace Granary.Storage.Azure.Tables;

/// <summary>Finds at the start what would fail later: an account that does not answer, a role or a table that is missing.</summary>
internal static class TableCheck
{
    // No partition has these keys.
    private const string Probe = TableKeys.FirstCode;

    /// <summary>Makes the table if it is missing, and checks that this process may read it and write to it.</summary>
    /// <exception cref="StorageException">Something is missing. The message says what to do.</exception>
    /// <param name="account">The client of the account.</param>
    /// <param name="name">The name of the table.</param>
    /// <param name="rows">The store's requests to the table.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    public static async Task RunAsync(
        TableServiceClient account,
        string name,
        PartitionTable rows,
        CancellationToken cancellationToken)
    {
        var table = account.GetTableClient(name);
        var what = $"Table '{name}' of {account.Uri} cannot be used";
        try
        {
            if (!await MayWriteAsync(table, cancellationToken))
            {
                what = $"Table '{name}' of {account.Uri} does not exist and cannot be made";
                await account.CreateTableIfNotExistsAsync(name, cancellationToken);
                await MayWriteAsync(table, cancellationToken);
            }

            what = $"Table '{name}' of {account.Uri} cannot be read";
            await rows.FindAsync(Probe, Probe, cancellationToken);
        }
        catch (Exception e) when (AzureFaults.IsFault(e, cancellationToken))
        {
            throw AzureFaults.Translate(e, what, AzureFaults.TableRole);
        }
    }

    /// <summary>Deletes an entity that does not exist, which needs the right to write. Returns false if the table does not exist.</summary>
    private static async Task<bool> MayWriteAsync(TableClient table, CancellationToken cancellationToken)
    {
        try
        {
            using var response = await table.DeleteEntityAsync(Probe, Probe, ETag.All, cancellationToken);
            return !(response.Headers.TryGetValue(PartitionTable.ErrorCodeHeader, out var code) && code == "TableNotFound");
        }
        catch (RequestFailedException e) when (e.ErrorCode == "TableNotFound")
        {
            return false;
        }
    }
}
