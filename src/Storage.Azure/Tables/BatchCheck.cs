using Granary.Storage.Partitions;

namespace Granary.Storage.Azure.Tables;

/// <summary>Refuses batches that the table would refuse.</summary>
internal static class BatchCheck
{
    /// <summary>
    /// Checks each key and value. A large batch that passes its head but cannot be applied would end its partition: no process could read
    /// it or write to it again.
    /// </summary>
    /// <exception cref="ArgumentException">A key or a value cannot be stored, or a key is named twice.</exception>
    public static void Check(IReadOnlyList<Mutation> batch)
    {
        var keys = new HashSet<string>(batch.Count, StringComparer.Ordinal);
        foreach (var (key, value) in batch)
        {
            TableKeys.Encode(key);
            if (value is { Length: > Row.MaxValueLength })
            {
                throw new ArgumentException(
                    $"The value of row '{key}' has {value.Value.Length} bytes; at most {Row.MaxValueLength} can be stored.",
                    nameof(batch));
            }

            if (!keys.Add(key))
            {
                throw new ArgumentException($"The batch changes row '{key}' twice.", nameof(batch));
            }
        }
    }
}
