namespace Granary.Storage.Partitions;

/// <summary>A page of consecutive rows of a partition.</summary>
/// <param name="Rows">The rows, in ordinal order of their keys.</param>
/// <param name="More">Whether more rows may follow. If true, this page has at least one row. If false, this page is the last one.</param>
public readonly record struct RowPage(IReadOnlyList<Row> Rows, bool More)
{
    /// <summary>
    /// The head under which the page was read, or, if commits came between, a later one that the store has read since; null from a store
    /// that does not read it, since no other process can write to it.
    /// </summary>
    public Head? Head { get; init; }
}
