using System.Runtime.CompilerServices;

namespace Granary.Storage.Partitions;

/// <summary>Reads all pages of a scan.</summary>
public static class PartitionScans
{
    // Most scans need few rows, so the pages start small and grow.
    private const int FirstPageRows = 64;
    private const int MaxPageRows = 1024;

    /// <summary>
    /// Reads the rows whose key begins with <paramref name="prefix"/> and is greater than <paramref name="after"/>, in ordinal order of
    /// their keys, page by page. The scan may or may not return rows that are committed meanwhile. The last page may be empty.
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
