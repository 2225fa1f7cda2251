namespace Granary.Storage.Partitions;

/// <summary>
/// The name of a partition: <c>repository/library/app</c>, <c>blobs/3f</c>, <c>upload/…</c>. ASCII, ordered ordinally by its characters.
/// </summary>
/// <param name="Value">At most 300 characters.</param>
public readonly record struct PartitionKey(string Value)
{
    /// <inheritdoc/>
    public override string ToString() => Value;
}
