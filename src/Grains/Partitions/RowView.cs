using Granary.Storage.Partitions;

namespace Granary.Grains.Partitions;

/// <summary>
/// The rows of a partition, as a rule sees them. A rule is a synchronous function over this view. It may ask for any row. If a row is not
/// in memory, the view answers "absent", the engine discards the rule's answer, loads the row, and runs the rule again. So a rule reads as
/// if all rows were in memory. The README of this folder says which side effects a rule may have.
/// </summary>
internal abstract class RowView
{
    /// <summary>Returns the value of a row; null if there is no such row.</summary>
    public abstract ReadOnlyMemory<byte>? Get(string key);

    /// <summary>
    /// Returns the rows whose keys begin with <paramref name="prefix"/>, in ordinal order. For prefixes of a bounded number of rows.
    /// </summary>
    public abstract IReadOnlyList<Row> Scan(string prefix);

    /// <summary>Whether there is such a row.</summary>
    public bool Has(string key) => Get(key) is not null;
}

/// <summary>The cached rows. Most reads find everything here. One view serves all reads of a partition, one after the other.</summary>
internal sealed class CachedRows(RowCache cache) : RowView
{
    /// <summary>Whether a rule asked for a row that is not in memory. Its answer does not count then.</summary>
    public bool HasMissed { get; private set; }

    public override ReadOnlyMemory<byte>? Get(string key)
    {
        if (cache.TryGet(key, out var value))
        {
            return value;
        }

        HasMissed = true;
        return null;
    }

    public override IReadOnlyList<Row> Scan(string prefix)
    {
        HasMissed = true;
        return [];
    }

    public void Reset() => HasMissed = false;
}

/// <summary>Committed rows, loaded as a rule asks for them.</summary>
internal sealed class CommittedRows(LoadedRows loaded) : RowView
{
    public override ReadOnlyMemory<byte>? Get(string key) => loaded.Get(key);

    public override IReadOnlyList<Row> Scan(string prefix) => loaded.Scan(prefix);
}
