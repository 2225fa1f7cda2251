using Granary.Grains.Partitions;

namespace Granary.Grains.Leases;

/// <summary>The rules that references to blobs and entries of the catalog share (docs/garbage-collection.md).</summary>
internal static class LeaseRules
{
    private const double Growth = 8;

    // The longest lease is reached long before.
    private const int MaxExponent = 16;

    private static readonly ReadOnlyMemory<byte> Mark = new byte[] { 1 };

    /// <summary>
    /// Grants a new lease, or one with a newer sequence. Returns false if the lease is as new already (<c>seq</c>, <c>catalog-seq</c>).
    /// </summary>
    /// <param name="rows">The rows.</param>
    /// <param name="lease">The lease.</param>
    /// <param name="before">Its row; null if it is new.</param>
    /// <param name="sequence">The sequence of the command.</param>
    /// <param name="until">The end of the lease.</param>
    public static bool Grant<TLease>(RowBatch rows, TLease lease, LeaseRow? before, long sequence, DateTimeOffset until)
        where TLease : struct, ILease
    {
        if (before is not null && before.Sequence >= sequence)
        {
            return false;
        }

        if (before is not null)
        {
            rows.Delete(lease.DueKey(before.Until));
        }

        Put(rows, lease, new LeaseRow(sequence, until, Renewals: 0));
        return true;
    }

    /// <summary>
    /// Returns the row of a lease if it is the same as when it was due; otherwise null (<c>settle</c>). An answer of the repository must
    /// not count for a lease that was granted after the question.
    /// </summary>
    public static LeaseRow? FindUnchanged<TLease>(RowView rows, TLease lease, long sequence, DateTimeOffset until)
        where TLease : struct, ILease =>
        LeaseRow.Find(rows, lease) is { } row && row.Sequence == sequence && row.Until == until ? row : null;

    /// <summary>Extends a lease that the repository has confirmed.</summary>
    public static void Extend<TLease>(RowBatch rows, TLease lease, LeaseRow row, DateTimeOffset now, LifetimeOptions lifetimes)
        where TLease : struct, ILease
    {
        var renewals = row.Renewals + 1;
        rows.Delete(lease.DueKey(row.Until));
        Put(rows, lease, row with { Until = now + Length(renewals, lease.Salt, lifetimes), Renewals = renewals });
    }

    /// <summary>Removes a lease.</summary>
    public static void Drop<TLease>(RowBatch rows, TLease lease, LeaseRow row)
        where TLease : struct, ILease
    {
        rows.Delete(lease.Key);
        rows.Delete(lease.DueKey(row.Until));
    }

    /// <summary>
    /// Returns the length of a lease. Each renewal makes the next one 8 times longer, up to 90 days, so that the leases of old blobs cost
    /// little.
    /// </summary>
    /// <param name="renewals">How often the repository has confirmed it.</param>
    /// <param name="salt"><see cref="ILease.Salt"/>.</param>
    /// <param name="lifetimes">The length of the first lease.</param>
    public static TimeSpan Length(int renewals, char salt, LifetimeOptions lifetimes)
    {
        // Factors are compared, not lengths: after ten renewals the product is longer than a TimeSpan can be.
        var factor = Math.Pow(Growth, Math.Min(renewals, MaxExponent));
        var isShort = factor < LifetimeOptions.MaxLease / lifetimes.FirstLease;
        return (isShort ? lifetimes.FirstLease * factor : LifetimeOptions.MaxLease) * (0.9 + (salt % 16 / 80.0));
    }

    private static void Put<TLease>(RowBatch rows, TLease lease, LeaseRow row)
        where TLease : struct, ILease
    {
        rows.Put(lease.Key, row.Encode());
        rows.Put(lease.DueKey(row.Until), Mark);
    }
}

/// <summary>The row of a lease: of a repository's reference to a blob, or of its entry in the catalog.</summary>
/// <param name="Sequence">The lowest version that the repository could have when it committed what the lease is for.</param>
/// <param name="Until">The end of the lease, and the time of its due row. Then the sweep asks the repository.</param>
/// <param name="Renewals">How often the repository has confirmed the lease. Each time makes the next one longer.</param>
internal sealed record LeaseRow(long Sequence, DateTimeOffset Until, int Renewals)
{
    public ReadOnlyMemory<byte> Encode() => new RowWriter(1).Number(Sequence).Time(Until).Number(Renewals).ToValue();

    public static LeaseRow? Find<TLease>(RowView rows, TLease lease)
        where TLease : struct, ILease => rows.Get(lease.Key) is { } value ? Decode(value) : null;

    public static LeaseRow Decode(ReadOnlyMemory<byte> value)
    {
        var reader = new RowReader(value, 1);
        return new LeaseRow(reader.Number(), reader.Time(), (int)reader.Number());
    }
}
