using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Blobs;

/// <summary>The row of a doomed object.</summary>
/// <param name="Digest">The digest that it is sealed under, which is part of its name in the blob store.</param>
/// <param name="Due">When the sweep deletes the object; when this row is removed, if it has.</param>
/// <param name="IsDeleted">Whether the sweep has deleted the object.</param>
internal sealed record DoomRow(Digest Digest, DateTimeOffset Due, bool IsDeleted)
{
    public ReadOnlyMemory<byte> Encode() => new RowWriter(1).Text(Digest.Value).Time(Due).Flag(IsDeleted).ToValue();

    public static DoomRow? Find(RowView rows, ObjectId id)
    {
        if (rows.Get(BlobRows.Doom(id)) is not { } value)
        {
            return null;
        }

        var reader = new RowReader(value, 1);
        return new DoomRow(Digest.Parse(reader.Text()!), reader.Time(), reader.Flag());
    }
}
