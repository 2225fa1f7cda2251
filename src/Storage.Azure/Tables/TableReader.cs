using Granary.Storage.Partitions;

namespace Granary.Storage.Azure.Tables;

/// <summary>Reads rows that are all of one version.</summary>
/// <remarks>
/// <list type="number">
/// <item>Read the head.</item>
/// <item>Read the rows. Each one says which version wrote it. If that is not above the head's version, the row was the same under the
/// head.</item>
/// <item>A row that is absent says nothing. Read the head again, which says when rows were last deleted. If that is not above the first
/// head's version either, the row was absent under that head.</item>
/// <item>If commits came between and all rows are from one answer of the service, they are of one version all the same: the service answers
/// from a snapshot of the partition. Only a commit of several transactions must not have come between.</item>
/// <item>Otherwise begin again.</item>
/// </list>
/// So most reads of rows that exist need one read of the head, and lists of a busy partition do not wait for a pause between its commits.
/// </remarks>
internal sealed class TableReader(PartitionTable table, SettledHeads heads)
{
    // A filter that names several keys would read the whole partition.
    private const int Parallelism = 16;

    // Commits that change just these rows have come between so often that the partition is too busy.
    private const int MaxAttempts = 16;

    // The most that one answer of the service has.
    private const int MaxPageRows = 1000;

    // A page that is larger comes in several answers of the service, and holds memory of the process.
    private const int PageBytes = 1_000_000;

    /// <summary>Reads rows by their keys.</summary>
    public async ValueTask<RowValues> GetAsync(PartitionKey partition, IReadOnlyList<string> keys, CancellationToken cancellationToken)
    {
        var code = TableKeys.Encode(partition.Value);
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            // :: Step 1.
            if (await heads.FindAsync(code, cancellationToken) is not { } head)
            {
                return new RowValues(new ReadOnlyMemory<byte>?[keys.Count], Head.None);
            }

            // :: Step 2.
            var rows = await FindAsync(code, keys, cancellationToken);
            if (Array.TrueForAll(rows, row => row?.Version <= head.Version))
            {
                return new RowValues(Values(rows), head.ToHead());
            }

            // :: Step 3.
            var newest = rows.Max(row => row?.Version) ?? 0;
            if (await HeadOfAsync(code, head, newest, isSnapshot: rows.Length == 1, cancellationToken) is { } read)
            {
                return new RowValues(Values(rows), read);
            }
        }

        throw TooBusy(partition);
    }

    /// <summary>Reads rows that may be of several versions.</summary>
    public async ValueTask<RowValues> GetForCommitAsync(
        PartitionKey partition,
        IReadOnlyList<string> keys,
        CancellationToken cancellationToken) =>
        new(Values(await FindAsync(TableKeys.Encode(partition.Value), keys, cancellationToken)));

    /// <summary>Reads a page of rows.</summary>
    public async ValueTask<RowPage> ScanAsync(
        PartitionKey partition,
        string prefix,
        string? after,
        int limit,
        CancellationToken cancellationToken)
    {
        var code = TableKeys.Encode(partition.Value);
        for (var attempt = 0; attempt < MaxAttempts; attempt++)
        {
            // :: Step 1.
            if (await heads.FindAsync(code, cancellationToken) is not { } head)
            {
                return new RowPage([], More: false) { Head = Head.None };
            }

            // :: Step 2.
            var page = await QueryAsync(FilterOf(code, prefix, after), Math.Min(limit, MaxPageRows), cancellationToken);

            // :: Step 3.
            if (await HeadOfAsync(code, head, page.Newest, page.IsSnapshot, cancellationToken) is { } read)
            {
                return new RowPage(page.Rows, page.More) { Head = read };
            }
        }

        throw TooBusy(partition);
    }

    private static ReadOnlyMemory<byte>?[] Values(StoredRow?[] rows) => Array.ConvertAll(rows, row => row?.Value);

    private static string FilterOf(string partition, string prefix, string? after)
    {
        var start = TableKeys.EncodeBound(prefix);
        var last = after is null ? null : TableKeys.EncodeBound(after);
        var lower = last is not null && string.CompareOrdinal(last, start) >= 0 && last.Length > 0
            ? $"RowKey gt '{last}'"
            : $"RowKey ge '{(start.Length == 0 ? TableKeys.FirstCode : start)}'";
        var upper = TableKeys.EndOf(start) is { } end ? $" and RowKey lt '{end}'" : "";
        return $"PartitionKey eq '{partition}' and {lower}{upper}";
    }

    private static StorageException TooBusy(PartitionKey partition) => new(
        StorageFault.Unavailable,
        $"Rows of partition '{partition}' change so often that {MaxAttempts} attempts to read them at one version failed. Try again.");

    /// <summary>Returns the head of the version that rows belong to; null if it is not known that they belong to one.</summary>
    /// <param name="partition">The code of the partition.</param>
    /// <param name="before">The head that was read before the rows.</param>
    /// <param name="newest">The highest version of a row.</param>
    /// <param name="isSnapshot">Whether one answer of the service has all rows.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    private async ValueTask<Head?> HeadOfAsync(
        string partition,
        HeadRow before,
        long newest,
        bool isSnapshot,
        CancellationToken cancellationToken)
    {
        var latest = await table.FindHeadAsync(partition, cancellationToken);
        if (latest is not { IsSettled: true })
        {
            return null;
        }

        if (newest <= before.Version && latest.LastDelete <= before.Version)
        {
            return before.ToHead();
        }

        // :: Step 4.
        return isSnapshot && latest.LastSplit <= before.Version ? latest.ToHead() : null;
    }

    private async ValueTask<StoredRow?[]> FindAsync(string partition, IReadOnlyList<string> keys, CancellationToken cancellationToken)
    {
        if (keys.Count == 1)
        {
            return [await FindAsync(partition, keys[0], cancellationToken)];
        }

        var rows = new StoredRow?[keys.Count];
        await Parallel.ForAsync(
            0,
            rows.Length,
            new ParallelOptions { MaxDegreeOfParallelism = Parallelism, CancellationToken = cancellationToken },
            async (i, token) => rows[i] = await FindAsync(partition, keys[i], token));
        return rows;
    }

    private async ValueTask<StoredRow?> FindAsync(string partition, string key, CancellationToken cancellationToken) =>
        await table.FindAsync(partition, TableKeys.Encode(key), cancellationToken) is { } entity ? StoredRow.From(entity) : null;

    private async ValueTask<(List<Row> Rows, bool More, long Newest, bool IsSnapshot)> QueryAsync(
        string filter,
        int limit,
        CancellationToken cancellationToken)
    {
        var rows = new List<Row>();
        var bytes = 0;
        var newest = 0L;
        var answers = 0;
        await foreach (var page in table.QueryAsync(filter, limit, properties: null, cancellationToken))
        {
            answers++;
            foreach (var entity in page.Values)
            {
                if (rows.Count == limit || bytes > PageBytes)
                {
                    return (rows, true, newest, answers == 1);
                }

                var row = StoredRow.From(entity);
                rows.Add(new Row(TableKeys.Decode(entity.RowKey), row.Value));
                bytes += row.Value.Length;
                newest = Math.Max(newest, row.Version);
            }

            // An empty page is not the end: the service has worked on the query as long as it may.
            if (rows.Count > 0 && page.ContinuationToken is not null)
            {
                return (rows, true, newest, answers == 1);
            }
        }

        return (rows, false, newest, answers <= 1);
    }
}
