namespace Granary.Storage.Partitions;

/// <summary>One change of a batch: sets the row <paramref name="Key"/>, or deletes it if <paramref name="Value"/> is null.</summary>
/// <param name="Key">The key of the row. A batch names each key once. A delete names a row that exists.</param>
/// <param name="Value">The new bytes; null deletes the row.</param>
public readonly record struct Mutation(string Key, ReadOnlyMemory<byte>? Value)
{
    /// <summary>Returns a mutation that sets a row.</summary>
    public static Mutation Put(string key, ReadOnlyMemory<byte> value) => new(key, value);

    /// <summary>Returns a mutation that deletes a row.</summary>
    public static Mutation Delete(string key) => new(key, Value: null);
}
