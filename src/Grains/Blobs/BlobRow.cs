using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Blobs;

/// <summary>The row of a blob.</summary>
/// <param name="Object">Its object; null for a small blob, whose content is in a row.</param>
/// <param name="Size">Its size in bytes.</param>
/// <param name="References">The number of its <c>ref/</c> rows.</param>
/// <param name="OrphanDue">The time of its <c>due/…/orphan/</c> row; null while repositories refer to it.</param>
/// <param name="IsDamaged">Whether its bytes are known not to be what the digest says.</param>
internal sealed record BlobRow(ObjectId? Object, long Size, int References, DateTimeOffset? OrphanDue, bool IsDamaged = false)
{
    public const string Prefix = "blob/";
    public const byte Version = 2;

    public ReadOnlyMemory<byte> Encode() => new RowWriter(Version)
        .Text(Object?.Value).Number(Size).Number(References).Number(OrphanDue?.UtcTicks ?? 0).Flag(IsDamaged).ToValue();

    public static BlobRow? Find(RowView rows, Digest digest) => rows.Get(BlobRows.Blob(digest)) is { } value ? Decode(value) : null;

    /// <summary>Returns the content of a blob; null if there is no such blob.</summary>
    public static BlobContent? FindContent(RowView rows, Digest digest) => Find(rows, digest) switch
    {
        null => null,
        { Object: { } id } blob => new ObjectContent(id, blob.Size),
        _ => BlobBytesRow.Find(rows, digest),
    };

    /// <summary>Writes the row of a blob, and moves its orphan due row with it.</summary>
    public static void Store(RowBatch rows, Digest digest, BlobRow? before, BlobRow after)
    {
        if (before == after)
        {
            return;
        }

        rows.Put(BlobRows.Blob(digest), after.Encode());
        if (before?.OrphanDue is { } old && old != after.OrphanDue)
        {
            rows.Delete(BlobRows.DueOrphan(old, digest));
        }

        if (after.OrphanDue is { } due && due != before?.OrphanDue)
        {
            rows.Put(BlobRows.DueOrphan(due, digest), BlobRows.Mark);
        }
    }

    public static BlobRow Decode(ReadOnlyMemory<byte> value)
    {
        var reader = new RowReader(value, Version);
        var (@object, size, references, due) = (reader.Text(), reader.Number(), (int)reader.Number(), reader.TimeOrNull());
        return new BlobRow(
            @object is null ? null : ObjectId.Parse(@object),
            size,
            references,
            due,
            reader.Version > 1 && reader.Flag());
    }
}
