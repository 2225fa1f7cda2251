namespace Granary.Storage.Partitions;

/// <summary>One change of a batch: <paramref name="Key"/> gets <paramref name="Value"/>, or goes if that is null.</summary>
/// <param name="Key">The row. A batch names each key once; a delete names a row that is known to exist.</param>
/// <param name="Value">The new bytes, or null to delete the row.</param>
public readonly record struct Mutation(string Key, ReadOnlyMemory<byte>? Value)
{
    /// <summary>Sets a row.</summary>
    public static Mutation Put(string key, ReadOnlyMemory<byte> value) => new(key, value);

    /// <summary>Removes a row.</summary>
    public static Mutation Delete(string key) => new(key, Value: null);
}
