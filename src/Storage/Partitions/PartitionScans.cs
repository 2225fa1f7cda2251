using System.Runtime.CompilerServices;

namespace Granary.Storage.Partitions;

/// <summary>Reads of more rows than one page has.</summary>
public static class PartitionScans
{
    // Most scans want a few rows: pages begin small and grow.
    private const int FirstPageRows = 64;
    private const int MaxPageRows = 1024;

    /// <summary>
    /// Reads the rows whose key begins with <paramref name="prefix"/> and is greater than <paramref name="after"/>, in ordinal order of their keys, by the page.
    /// Rows that are committed meanwhile may be seen or not; a caller that stops early costs nothing more than what it read.
    /// </summary>
    public static async IAsyncEnumerable<IReadOnlyList<Row>> PagesAsync(
        this IPartitionStore store,
        PartitionKey partition,
        string prefix,
        string? after,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        for (var limit = FirstPageRows; ; limit = Math.Min(2 * limit, MaxPageRows))
        {
            var (rows, more) = await store.ScanAsync(partition, prefix, after, limit, cancellationToken);
            yield return rows;
            if (!more)
            {
                yield break;
            }

            after = rows[^1].Key;
        }
    }
}
