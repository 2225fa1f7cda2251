using Azure;
using Azure.Data.Tables;
using Granary.Storage.Partitions;

namespace Granary.Storage.Azure.Tables;

/// <summary>A row as the table holds it.</summary>
/// <param name="Value">The bytes.</param>
/// <param name="Version">The version of the partition that wrote them.</param>
internal readonly record struct StoredRow(ReadOnlyMemory<byte> Value, long Version)
{
    private const string ValueProperty = "V";
    private const string VersionProperty = "N";

    /// <summary>Makes the change of the table for a change of a batch.</summary>
    /// <param name="partition">The code of the partition.</param>
    /// <param name="mutation">The change.</param>
    /// <param name="version">The version that the batch makes.</param>
    public static TableTransactionAction ToAction(string partition, Mutation mutation, long version)
    {
        var entity = new TableEntity(partition, TableKeys.Encode(mutation.Key));
        if (mutation.Value is not { } value)
        {
            return new TableTransactionAction(TableTransactionActionType.Delete, entity, ETag.All);
        }

        // BinaryData lends the bytes to the client; an array would be a copy.
        entity[ValueProperty] = BinaryData.FromBytes(value);
        entity[VersionProperty] = version;
        return new TableTransactionAction(TableTransactionActionType.UpsertReplace, entity);
    }

    /// <summary>Reads a row.</summary>
    /// <exception cref="StorageException">The entity has no value or no version.</exception>
    public static StoredRow From(TableEntity entity) =>
        entity.TryGetValue(ValueProperty, out var value) && value is byte[] bytes
        && entity.TryGetValue(VersionProperty, out var version) && version is long number
            ? new StoredRow(bytes, number)
            : throw new StorageException(
                StorageFault.Damaged,
                $"Row '{TableKeys.Decode(entity.RowKey)}' of partition '{TableKeys.Decode(entity.PartitionKey)}' has no value or no "
                + "version. Another program has written to the table; restore the partition from a backup.");
}
