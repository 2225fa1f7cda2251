using Granary.Protocol;
using Granary.Protocol.Hashing;

namespace Granary.Grains.Interfaces.Uploads;

/// <summary>What is stored of a session.</summary>
[GenerateSerializer, Immutable, Alias("granary.upload-status")]
public abstract record UploadStatus
{
    private protected UploadStatus()
    {
    }
}

/// <summary>The session has no row. It is a fresh one if its id is genuine and has not expired.</summary>
[GenerateSerializer, Immutable, Alias("granary.status-unstored")]
public sealed record UploadUnstored : UploadStatus;

/// <summary>The session accepts bytes.</summary>
/// <param name="Epoch">The epoch of the last claim.</param>
/// <param name="Offset">How many bytes are durable.</param>
/// <param name="Object">The object of those bytes.</param>
/// <param name="Algorithm">The algorithm that the client announced, or SHA-256.</param>
/// <param name="Hash">The hash of those bytes, if the last request has recorded it.</param>
[GenerateSerializer, Immutable, Alias("granary.status-open")]
public sealed record UploadOpen(
    [property: Id(0)] long Epoch,
    [property: Id(1)] long Offset,
    [property: Id(2)] ObjectId Object,
    [property: Id(3)] DigestAlgorithm Algorithm,
    [property: Id(4)] HashState? Hash = null) : UploadStatus;

/// <summary>The session is closed over its content.</summary>
/// <param name="Digest">The digest of the content.</param>
/// <param name="Content">The object and its size.</param>
/// <param name="Deadline">The end of the time in which the object can become a blob.</param>
[GenerateSerializer, Immutable, Alias("granary.status-sealed")]
public sealed record SealedUpload(
    [property: Id(0)] Digest Digest,
    [property: Id(1)] Blobs.ObjectContent Content,
    [property: Id(2)] DateTimeOffset Deadline) : UploadStatus;

/// <summary>The session is cancelled.</summary>
/// <param name="Object">Its object, which the caller deletes; null if it had none.</param>
[GenerateSerializer, Immutable, Alias("granary.status-cancelled")]
public sealed record CancelledUpload([property: Id(0)] ObjectId? Object) : UploadStatus;
