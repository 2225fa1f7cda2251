using Granary.Storage.Partitions;

namespace Granary.Storage.Azure.Tables;

/// <summary>What one transaction of a table holds: 100 entities, one of which is the head, and 4 MiB of text.</summary>
internal static class TransactionLimit
{
    /// <summary>The most rows beside the head.</summary>
    public const int Rows = 99;

    // Base64 makes 3.4 MB of it. 99 rows with long keys add 0.3 MB of URLs, headers and JSON.
    private const int Bytes = 2_500_000;

    // What a row takes beside its key and its value.
    private const int BytesPerRow = 100;

    /// <summary>What a batch holds at most that is committed by one transaction, by the count of the commit loop.</summary>
    public static BatchLimit Batch { get; } = new(Rows, 2 * 1024 * 1024);

    /// <summary>Returns the end of the changes that one transaction takes, from a place on. It is at least one change.</summary>
    public static int EndOf(IReadOnlyList<Mutation> batch, int start)
    {
        var bytes = 0;
        var end = start;
        while (end < batch.Count && end - start < Rows)
        {
            bytes += batch[end].Key.Length + (batch[end].Value?.Length ?? 0) + BytesPerRow;
            if (bytes > Bytes)
            {
                break;
            }

            end++;
        }

        return end;
    }
}
