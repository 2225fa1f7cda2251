using Granary.Storage.Partitions;

namespace Granary.Grains.Uploads;

/// <summary>
/// The one row of an upload session's partition, <c>upload/&lt;id&gt;</c>:
/// <code>
/// session     the state of the session
/// </code>
/// </summary>
internal static class UploadRows
{
    public const string Session = "session";

    public static PartitionKey Partition(string uploadId) => new("upload/" + uploadId);
}
