using Granary.Grains.Partitions;
using Granary.Grains.Repositories.History;

namespace Granary.Grains.Repositories;

/// <summary>
/// The floor of a repository: the highest order that removed something, or that was answered without a change. A command below it comes
/// late: the rows that would show it are gone, or were never written. It is kept in the row <c>meta</c>, and in the row <c>floor</c> while
/// the repository is not in the catalog.
/// </summary>
/// <param name="Order">The floor.</param>
/// <param name="Removals">The requests of the last removals of blobs, which write no line of the log.</param>
internal sealed record Floor(long Order, Guid[] Removals)
{
    private const byte Version = 2;

    // A repeat comes within seconds. More blobs than this are not removed from one repository in the meantime.
    private const int MaxRemovals = 8;

    private static readonly Floor None = new(0, []);

    /// <summary>Returns the floor. A repository that no release with this rule has changed has none.</summary>
    public static Floor Of(RowBatch rows)
    {
        if (rows.Get(RepositoryRows.Meta) is { } meta)
        {
            return Decode(meta);
        }

        // A partition that does not exist has no rows: the first push to a repository reads nothing for this.
        return rows.Version > 1 && rows.Get(RepositoryRows.Floor) is { } floor ? Decode(floor) : None;
    }

    /// <summary>Raises the floor to an order.</summary>
    /// <param name="rows">The batch.</param>
    /// <param name="order">The order. A lower one than the floor changes nothing.</param>
    /// <param name="removal">The request that removes a blob; null for others.</param>
    public static void Raise(RowBatch rows, long order, Guid? removal = null)
    {
        var floor = Of(rows);
        if (order <= floor.Order && removal is null)
        {
            return;
        }

        Guid[] removals = removal is { } request ? [request, .. floor.Removals.Take(MaxRemovals - 1)] : floor.Removals;
        var raised = new Floor(Math.Max(order, floor.Order), removals);
        rows.Put(rows.Has(RepositoryRows.Meta) ? RepositoryRows.Meta : RepositoryRows.Floor, raised.Encode());
    }

    /// <summary>
    /// Raises the floor after the removal of a row that says in which order it was written. In one process no copy of a command comes late,
    /// so the removal need not write a row more.
    /// </summary>
    /// <param name="rows">The batch.</param>
    /// <param name="change">The removal.</param>
    /// <param name="removed">The order of the removed row.</param>
    public static void RaiseAfterRemoval(RowBatch rows, Change change, long removed)
    {
        if (change.IsShared)
        {
            Raise(rows, Math.Max(change.Order, removed));
        }
    }

    /// <summary>Puts the row <c>meta</c> of a repository that enters the catalog, and takes the floor over.</summary>
    public static void Enter(RowBatch rows)
    {
        var hasFloor = rows.Version > 1 && rows.Has(RepositoryRows.Floor);
        rows.Put(RepositoryRows.Meta, hasFloor ? rows.Get(RepositoryRows.Floor)!.Value : RepositoryRows.Mark);
        if (hasFloor)
        {
            rows.Delete(RepositoryRows.Floor);
        }
    }

    /// <summary>Removes the row <c>meta</c> of a repository that leaves the catalog, and keeps the floor.</summary>
    public static void Leave(RowBatch rows)
    {
        var floor = Of(rows);
        rows.Delete(RepositoryRows.Meta);
        if (floor.Order > 0)
        {
            rows.Put(RepositoryRows.Floor, floor.Encode());
        }
    }

    /// <summary>Decodes the row <c>meta</c> or <c>floor</c>.</summary>
    public static Floor Decode(ReadOnlyMemory<byte> value)
    {
        // Releases without the rule of order have written version 1, which has no fields.
        var reader = new RowReader(value, Version);
        if (reader.Version == 1)
        {
            return None;
        }

        var order = reader.Number();
        var removals = new Guid[(int)reader.Number()];
        for (var i = 0; i < removals.Length; i++)
        {
            removals[i] = reader.Id();
        }

        return new Floor(order, removals);
    }

    public ReadOnlyMemory<byte> Encode()
    {
        var writer = new RowWriter(Version, 17 + (16 * Removals.Length)).Number(Order).Number(Removals.Length);
        foreach (var removal in Removals)
        {
            writer = writer.Id(removal);
        }

        return writer.ToValue();
    }
}
