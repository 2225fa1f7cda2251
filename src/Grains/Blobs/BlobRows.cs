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
