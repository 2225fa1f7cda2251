using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Partitions;
using Granary.Protocol;
using Granary.Storage.Partitions;

namespace Granary.Grains.Blobs;

/// <summary>
/// Every row of a shard's partition, <c>blobs/&lt;first byte of the digest&gt;</c>:
/// <code>
/// blob/&lt;digest&gt;                     a blob: its object, its size, how many repositories refer to it
/// bytes/&lt;digest&gt;                    the content of a small blob
/// ref/&lt;digest&gt;/&lt;repository&gt;         a repository's reference to it: a lease
/// tomb/&lt;object&gt;                     a tombstone: the object never becomes a blob
/// doom/&lt;object&gt;                     a doomed object: the sweep deletes it, or has deleted it
/// due/&lt;time&gt;/ref/&lt;digest&gt;/&lt;repo&gt;    when the lease of a reference ends
/// due/&lt;time&gt;/orphan/&lt;digest&gt;        when the grace period of a blob without references ends
/// due/&lt;time&gt;/doom/&lt;object&gt;          when a doomed object is deleted
/// due/&lt;time&gt;/tomb/&lt;object&gt;          when a tombstone, or the doom/ row of a deleted object, is removed
/// due/&lt;time&gt;/tell/&lt;digest&gt;          a correction: the repositories of a blob need to learn which content counts
/// </code>
/// </summary>
internal static class BlobRows
{
    public const string DuePrefix = "due/";

    public static PartitionKey Partition(byte shard) => new($"blobs/{shard:x2}");

    public static string Blob(Digest digest) => "blob/" + digest.Value;

    public static string Bytes(Digest digest) => "bytes/" + digest.Value;

    public static string ReferencePrefix(Digest digest) => $"ref/{digest.Value}/";

    public static string Reference(Digest digest, RepositoryName repository) => $"ref/{digest.Value}/{repository.Value}";

    public static string Tombstone(ObjectId id) => "tomb/" + id.Value;

    public static string Doom(ObjectId id) => "doom/" + id.Value;

    public static string DueReference(DateTimeOffset time, Digest digest, RepositoryName repository) =>
        $"due/{KeyTime.Text(time)}/ref/{digest.Value}/{repository.Value}";

    public static string DueOrphan(DateTimeOffset time, Digest digest) => $"due/{KeyTime.Text(time)}/orphan/{digest.Value}";

    public static string DueDoom(DateTimeOffset time, ObjectId id) => $"due/{KeyTime.Text(time)}/doom/{id.Value}";

    public static string DueTombstone(DateTimeOffset time, ObjectId id) => $"due/{KeyTime.Text(time)}/tomb/{id.Value}";

    public static string DueCorrection(DateTimeOffset time, Digest digest) => $"due/{KeyTime.Text(time)}/tell/{digest.Value}";

    /// <summary>Returns the parts of the key of a <c>due/</c> row.</summary>
    public static DueEntry ParseDue(string key)
    {
        var parts = key.Split('/', 4);
        return new DueEntry(KeyTime.Time(parts[1]), parts[2], parts[3]);
    }

    /// <summary>The value of a row whose key says everything.</summary>
    public static ReadOnlyMemory<byte> Mark { get; } = new byte[] { 1 };
}

/// <summary>A <c>due/</c> row of a shard.</summary>
/// <param name="Time">When it is due.</param>
/// <param name="Kind"><c>ref</c>, <c>orphan</c>, <c>doom</c>, <c>tell</c> or <c>tomb</c>.</param>
/// <param name="Subject">The rest of the key: a digest, an object, or a digest and a repository.</param>
internal sealed record DueEntry(DateTimeOffset Time, string Kind, string Subject);

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

/// <summary>The row of the content of a small blob.</summary>
internal static class BlobBytesRow
{
    public static ReadOnlyMemory<byte> Encode(InlineContent content) =>
        new RowWriter(1, 1 + content.Bytes.Length).Bytes(content.Bytes).ToValue();

    public static InlineContent? Find(RowView rows, Digest digest) =>
        rows.Get(BlobRows.Bytes(digest)) is { } value ? new InlineContent(new RowReader(value, 1).Rest.ToArray()) : null;
}

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
