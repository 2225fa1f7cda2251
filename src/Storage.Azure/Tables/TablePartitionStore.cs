using System.Runtime.CompilerServices;
using Azure.Data.Tables;
using Granary.Storage.Partitions;

namespace Granary.Storage.Azure.Tables;

/// <summary>Keeps partitions in one table of a storage account. The README of this project says how they lie in it.</summary>
/// <remarks>
/// It keeps nothing in memory, so any number of processes may use one table at the same time. It gives commits no numbers.
/// </remarks>
public sealed class TablePartitionStore : IPartitionStore
{
    private const int PartitionsPerPage = 1000;

    private readonly TableStoreOptions _options;
    private readonly ThrottleCounter _throttled;
    private readonly PartitionTable _table;
    private readonly PartitionDrop _drop;
    private readonly SettledHeads _heads;
    private readonly TableReader _reader;
    private readonly TableCommitter _committer;

    internal TablePartitionStore(TableServiceClient account, TableStoreOptions options, ThrottleCounter throttled, TimeProvider time)
    {
        (_options, _throttled) = (options, throttled);
        _table = new PartitionTable(account.GetTableClient(options.TableName), throttled, time);
        _drop = new PartitionDrop(_table);
        var redo = new RedoApplier(_table);
        _heads = new SettledHeads(_table, redo, _drop);
        _reader = new TableReader(_table, _heads);
        _committer = new TableCommitter(_table, redo, _heads);
    }

    /// <inheritdoc/>
    public TimeSpan? ProofLifetime => _options.ProofLifetime;

    /// <inheritdoc/>
    public BatchLimit BatchLimit => TransactionLimit.Batch;

    /// <summary>How many requests the account refused since the process began because there were too many.</summary>
    public long ThrottledRequests => _throttled.Count;

    /// <summary>Opens the store. Makes the table if it is missing, and checks that this process may read it and write to it.</summary>
    /// <param name="account">The storage account.</param>
    /// <param name="options">The options.</param>
    /// <param name="time">The time.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <exception cref="ArgumentException">The options are wrong. The message says how.</exception>
    /// <exception cref="StorageException">The account, the table or a right is missing. The message says what to do.</exception>
    public static async Task<TablePartitionStore> OpenAsync(
        StorageAccount account,
        TableStoreOptions options,
        TimeProvider time,
        CancellationToken cancellationToken)
    {
        if (options.Error() is { } error)
        {
            throw new ArgumentException(error, nameof(options));
        }

        var throttled = new ThrottleCounter();
        var client = account.CreateTableClient(ClientOptions(throttled, time, TableRetryPolicy.DefaultFirstPause));
        var store = new TablePartitionStore(client, options, throttled, time);
        await TableCheck.RunAsync(client, options.TableName, store._table, cancellationToken);
        return store;
    }

    /// <inheritdoc/>
    public async ValueTask<Head> OpenAsync(PartitionKey partition, CancellationToken cancellationToken)
    {
        try
        {
            var head = await _heads.FindAsync(TableKeys.Encode(partition.Value), cancellationToken);
            return head?.ToHead() ?? Head.None;
        }
        catch (Exception e) when (AzureFaults.IsFault(e, cancellationToken))
        {
            throw AzureFaults.Translate(e, $"The head of partition '{partition}' could not be read", AzureFaults.TableRole);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<RowValues> GetAsync(PartitionKey partition, IReadOnlyList<string> keys, CancellationToken cancellationToken)
    {
        try
        {
            return await _reader.GetAsync(partition, keys, cancellationToken);
        }
        catch (Exception e) when (AzureFaults.IsFault(e, cancellationToken))
        {
            throw AzureFaults.Translate(e, $"Rows of partition '{partition}' could not be read", AzureFaults.TableRole);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<RowValues> GetForCommitAsync(
        PartitionKey partition,
        IReadOnlyList<string> keys,
        CancellationToken cancellationToken)
    {
        try
        {
            return await _reader.GetForCommitAsync(partition, keys, cancellationToken);
        }
        catch (Exception e) when (AzureFaults.IsFault(e, cancellationToken))
        {
            throw AzureFaults.Translate(e, $"Rows of partition '{partition}' could not be read", AzureFaults.TableRole);
        }
    }

    /// <inheritdoc/>
    public async ValueTask<RowPage> ScanAsync(
        PartitionKey partition,
        string prefix,
        string? after,
        int limit,
        CancellationToken cancellationToken)
    {
        try
        {
            return await _reader.ScanAsync(partition, prefix, after, limit, cancellationToken);
        }
        catch (Exception e) when (AzureFaults.IsFault(e, cancellationToken))
        {
            throw AzureFaults.Translate(e, $"Rows of partition '{partition}' could not be listed", AzureFaults.TableRole);
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The batch has a key or a value that cannot be stored. Nothing was changed.</exception>
    public async ValueTask<Head> CommitAsync(
        PartitionKey partition,
        Head expected,
        IReadOnlyList<Mutation> batch,
        CancellationToken cancellationToken)
    {
        var code = TableKeys.Encode(partition.Value);
        BatchCheck.Check(batch);
        if (IsUnknown(expected))
        {
            throw new HeadMovedException(partition, expected);
        }

        try
        {
            return await _committer.CommitAsync(partition, code, expected, batch, cancellationToken);
        }
        catch (Exception e) when (AzureFaults.IsFault(e, cancellationToken))
        {
            throw AzureFaults.Translate(e, $"A commit of partition '{partition}' failed and may have taken effect", AzureFaults.TableRole);
        }
    }

    /// <inheritdoc/>
    public async ValueTask DropAsync(PartitionKey partition, Head expected, CancellationToken cancellationToken)
    {
        var code = TableKeys.Encode(partition.Value);
        try
        {
            if (expected == Head.None && await _heads.FindAsync(code, cancellationToken) is null)
            {
                return;
            }

            if (expected == Head.None || IsUnknown(expected))
            {
                throw new HeadMovedException(partition, expected);
            }

            await _drop.DropAsync(partition, code, expected, cancellationToken);
        }
        catch (Exception e) when (AzureFaults.IsFault(e, cancellationToken))
        {
            throw AzureFaults.Translate(e, $"Partition '{partition}' may or may not have been removed", AzureFaults.TableRole);
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<PartitionKey> PartitionsAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var start = TableKeys.EncodeBound(prefix);
        var upper = TableKeys.EndOf(start) is { } end ? $" and PartitionKey lt '{end}'" : "";
        var filter = $"PartitionKey ge '{start}'{upper} and RowKey eq '{TableKeys.Head}'";
        var pages = _table.QueryAsync(filter, PartitionsPerPage, HeadRow.ExistenceProperties, cancellationToken);
        await using var page = pages.GetAsyncEnumerator(cancellationToken);
        while (true)
        {
            try
            {
                if (!await page.MoveNextAsync())
                {
                    yield break;
                }
            }
            catch (Exception e) when (AzureFaults.IsFault(e, cancellationToken))
            {
                throw AzureFaults.Translate(e, "Partitions could not be listed", AzureFaults.TableRole);
            }

            foreach (var entity in page.Current.Values.Where(entity => !HeadRow.IsDroppedIn(entity)))
            {
                yield return new PartitionKey(TableKeys.Decode(entity.PartitionKey));
            }
        }
    }

    /// <summary>Returns the options for a client of the account, for the constructor.</summary>
    internal static TableClientOptions ClientOptions(ThrottleCounter throttled, TimeProvider time, TimeSpan firstPause) =>
        new() { RetryPolicy = new TableRetryPolicy(throttled, time, firstPause) };

    // This store has given the caller no such head.
    private static bool IsUnknown(Head head) => head.Version > 0 && head.Token is null;
}
