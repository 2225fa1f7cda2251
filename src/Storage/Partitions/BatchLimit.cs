namespace Granary.Storage.Partitions;

/// <summary>What a batch holds at most that a store commits at once.</summary>
/// <param name="Rows">Puts and deletes.</param>
/// <param name="Bytes">Keys and values together.</param>
public readonly record struct BatchLimit(int Rows, int Bytes)
{
    /// <summary>
    /// For a store that commits any batch at once. A commit of 1 MiB takes a few milliseconds; the first caller should not wait longer for
    /// others.
    /// </summary>
    public static BatchLimit Default { get; } = new(int.MaxValue, 1024 * 1024);
}
