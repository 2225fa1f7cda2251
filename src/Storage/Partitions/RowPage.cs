namespace Granary.Storage.Partitions;

/// <summary>Rows of a partition that follow each other.</summary>
/// <param name="Rows">The rows, in ordinal order of their keys.</param>
/// <param name="More">Whether others may follow; if so, there is at least one here.</param>
public readonly record struct RowPage(IReadOnlyList<Row> Rows, bool More);
