namespace Granary.Storage.Partitions;

/// <summary>One row of a partition.</summary>
/// <param name="Key">ASCII, at most 512 characters, ordered ordinally within the partition.</param>
/// <param name="Value">At most 64 KiB, and may be empty. The bytes are read-only: no caller writes to them.</param>
public readonly record struct Row(string Key, ReadOnlyMemory<byte> Value)
{
    /// <summary>The longest key, in characters.</summary>
    public const int MaxKeyLength = 512;

    /// <summary>The largest value, in bytes.</summary>
    public const int MaxValueLength = 64 * 1024;
}
