using Granary.Grains.Partitions;

namespace Granary.Grains.Leases;

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
