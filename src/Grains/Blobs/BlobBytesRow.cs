using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Partitions;
using Granary.Protocol;

namespace Granary.Grains.Blobs;

/// <summary>The row of the content of a small blob.</summary>
internal static class BlobBytesRow
{
    public static ReadOnlyMemory<byte> Encode(InlineContent content) =>
        new RowWriter(1, 1 + content.Bytes.Length).Bytes(content.Bytes).ToValue();

    public static InlineContent? Find(RowView rows, Digest digest) =>
        rows.Get(BlobRows.Bytes(digest)) is { } value ? new InlineContent(new RowReader(value, 1).Rest.ToArray()) : null;
}
