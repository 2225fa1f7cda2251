using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Partitions;
using Granary.Protocol;
using Granary.Storage.Partitions;

namespace Granary.Grains.Blobs;

/// <summary>
/// Every row of a shard's partition, <c>blobs/&lt;first byte of the digest&gt;</c>:
/// <code>
/// blob/&lt;digest&gt;                     a blob that exists: its object, its size, how many repositories refer to it
/// bytes/&lt;digest&gt;                    a small blob's content
/// ref/&lt;digest&gt;/&lt;repository&gt;         a repository refers to it: at which version of its partition, and until when that is believed
/// tomb/&lt;object&gt;                     an object that was renounced: it can never become a blob
/// doom/&lt;object&gt;                     an object of a collected blob: it is being deleted
/// due/&lt;time&gt;/ref/&lt;digest&gt;/&lt;repo&gt;    when a reference has to be asked about
/// due/&lt;time&gt;/orphan/&lt;digest&gt;        when a blob without references goes
/// due/&lt;time&gt;/doom/&lt;object&gt;          when an object of a collected blob is deleted
/// due/&lt;time&gt;/tomb/&lt;object&gt;          when a tombstone, or the memory of a deleted object, goes
/// due/&lt;time&gt;/tell/&lt;digest&gt;          the repositories have to be told which content of a blob counts
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

    public static string DueCorrection(DateTimeOffset time, Digest digest) => $"due/{KeyTime.Text(time)}/tell/{digest.Value}";

    /// <summary>What a <c>due/</c> row says.</summary>
    public static DueEntry ParseDue(string key)
    {
        var parts = key.Split('/', 4);
        return new DueEntry(KeyTime.Time(parts[1]), parts[2], parts[3]);
    }

    public static string DueTombstone(DateTimeOffset time, ObjectId id) => $"due/{KeyTime.Text(time)}/tomb/{id.Value}";

    /// <summary>The value of a row that says everything by being there.</summary>
    public static ReadOnlyMemory<byte> Mark { get; } = new byte[] { 1 };
}

/// <summary>A <c>due/</c> row.</summary>
/// <param name="Time">When to look.</param>
/// <param name="Kind"><c>ref</c>, <c>orphan</c>, <c>doom</c>, <c>tell</c> or <c>tomb</c>.</param>
/// <param name="Subject">At what, as the rest of its key writes it.</param>
internal sealed record DueEntry(DateTimeOffset Time, string Kind, string Subject);

/// <summary>The row of a blob.</summary>
/// <param name="Object">The object that holds it; null for a small blob, whose content is in a row.</param>
/// <param name="Size">Bytes.</param>
/// <param name="References">How many repositories refer to it: the number of its <c>ref/</c> rows.</param>
/// <param name="OrphanDue">When it goes, as its <c>due/</c> row says; null while repositories refer to it.</param>
/// <param name="IsDamaged">Whether the object is known not to hold what the digest says.</param>
internal sealed record BlobRow(ObjectId? Object, long Size, int References, DateTimeOffset? OrphanDue, bool IsDamaged = false)
{
    public const string Prefix = "blob/";
    public const byte Version = 2;

    public ReadOnlyMemory<byte> Encode() =>
        new RowWriter(Version).Text(Object?.Value).Number(Size).Number(References).Number(OrphanDue?.UtcTicks ?? 0).Flag(IsDamaged).ToValue();

    public static BlobRow? Find(RowView rows, Digest digest)
    {
        return rows.Get(BlobRows.Blob(digest)) is { } value ? Decode(value) : null;
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

/// <summary>The row of a repository's reference to a blob.</summary>
/// <param name="Sequence">The version of the repository's partition that made it, at the earliest.</param>
/// <param name="LeaseUntil">When the repository has to be asked whether it still holds; the time of its <c>due/</c> row.</param>
/// <param name="Renewals">How often the repository said yes: leases grow with it.</param>
internal sealed record ReferenceRow(long Sequence, DateTimeOffset LeaseUntil, int Renewals)
{
    public ReadOnlyMemory<byte> Encode() => new RowWriter(1).Number(Sequence).Time(LeaseUntil).Number(Renewals).ToValue();

    public static ReferenceRow? Find(RowView rows, Digest digest, RepositoryName repository)
    {
        return rows.Get(BlobRows.Reference(digest, repository)) is { } value ? Decode(value) : null;
    }

    public static ReferenceRow Decode(ReadOnlyMemory<byte> value)
    {
        var reader = new RowReader(value, 1);
        return new ReferenceRow(reader.Number(), reader.Time(), (int)reader.Number());
    }
}

/// <summary>The row of a small blob's content.</summary>
internal static class BlobBytesRow
{
    public static ReadOnlyMemory<byte> Encode(InlineContent content) => new RowWriter(1, 1 + content.Bytes.Length).Bytes(content.Bytes).ToValue();

    public static InlineContent? Find(RowView rows, Digest digest) =>
        rows.Get(BlobRows.Bytes(digest)) is { } value ? new InlineContent(new RowReader(value, 1).Rest.ToArray()) : null;
}

/// <summary>The row of an object of a collected blob.</summary>
/// <param name="Digest">The digest in its name.</param>
/// <param name="Due">When it is deleted; once it is, when that can be forgotten.</param>
/// <param name="IsDeleted">Whether it is gone from the storage.</param>
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
