namespace Granary.Storage.Partitions;

/// <summary>The values of rows, in the order in which they were asked for.</summary>
/// <param name="Values">One value for each key; null for a row that does not exist.</param>
/// <param name="Head">
/// The head under which all values were read, or, if commits came between, a later one that the store has read since; null from a store
/// that does not read it, since no other process can write to it.
/// </param>
public readonly record struct RowValues(IReadOnlyList<ReadOnlyMemory<byte>?> Values, Head? Head = null)
{
    /// <summary>The number of values.</summary>
    public int Count => Values.Count;

    /// <summary>Returns the value of the key at a place; null if there is no such row.</summary>
    public ReadOnlyMemory<byte>? this[int index] => Values[index];
}
