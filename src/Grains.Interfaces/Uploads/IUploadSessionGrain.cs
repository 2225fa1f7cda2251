using Granary.Protocol;
using Orleans.Concurrency;

namespace Granary.Grains.Interfaces.Uploads;

/// <summary>
/// An upload session: the durable offset of an upload and who may move it. The key is the session's id, which proves itself: a session that has received no
/// byte has no row, and the gateway knows its own ids again (docs/architecture.md, "Bytes").
/// </summary>
/// <remarks>All methods throw <see cref="PartitionUnavailableException"/>; all may be repeated.</remarks>
[Alias("granary.upload-session")]
public interface IUploadSessionGrain : IGrainWithStringKey
{
    /// <summary>Asks for the session's tail. The first call stores the session.</summary>
    [AlwaysInterleave, Alias("begin")]
    Task<BeginAnswer> Begin(BeginUpload command, CancellationToken cancellationToken);

    /// <summary>Says that the holder is still at work. Hold ends without it after <see cref="UploadClaim.Timeout"/>. False: the hold is over.</summary>
    [AlwaysInterleave, Alias("renew")]
    Task<bool> Renew(long epoch, CancellationToken cancellationToken);

    /// <summary>Records how many bytes are durable, and ends the hold if the request is over. False: the hold is over and nothing was recorded.</summary>
    [AlwaysInterleave, Alias("advance")]
    Task<bool> Advance(long epoch, long offset, bool release, CancellationToken cancellationToken);

    /// <summary>
    /// Closes the session over its content: from here on nothing can be appended or cancelled, and only Renounce decides about the object (rule 2).
    /// A repeat with the same digest answers the same.
    /// </summary>
    /// <param name="epoch">The hold, or the last one if nobody took another.</param>
    /// <param name="digest">The digest of the content.</param>
    /// <param name="size">Its size in bytes, all of them durable.</param>
    /// <param name="cancellationToken">Ends the caller's wait.</param>
    /// <returns>Null: the hold is over, or the session is; nothing was done.</returns>
    [AlwaysInterleave, Alias("seal")]
    Task<SealedUpload?> Seal(long epoch, Digest digest, long size, CancellationToken cancellationToken);

    /// <summary>Gives the session up, even one that was never stored. Null: it is finished, or was given up before.</summary>
    [AlwaysInterleave, Alias("cancel")]
    Task<CancelledUpload?> Cancel(DateTimeOffset issuedAt, CancellationToken cancellationToken);

    /// <summary>Looks whether the session's time has come, and gives it up if it was never closed. What is left to do is the caller's (rule 8).</summary>
    [AlwaysInterleave, Alias("expire")]
    Task<ExpireAnswer> Expire(CancellationToken cancellationToken);

    /// <summary>
    /// Records that another object holds the content of this closed session: its own is an orphan, and the next look at the session leaves it to Renounce instead of waiting for the session's
    /// end (rule 8). Does nothing to a session that is not closed, or about whose object Renounce has decided.
    /// </summary>
    [AlwaysInterleave, Alias("orphan")]
    Task Orphan(CancellationToken cancellationToken);

    /// <summary>Records that Renounce has decided about the object of a closed session whose row has to stay (<see cref="ExpireSealed.KeepUntil"/>).</summary>
    [AlwaysInterleave, Alias("record-renounced")]
    Task RecordRenounced(CancellationToken cancellationToken);

    /// <summary>Removes everything about the session. Only after what <see cref="Expire"/> answered was done.</summary>
    [AlwaysInterleave, Alias("forget")]
    Task Forget(CancellationToken cancellationToken);
}

/// <summary>Constants of a hold that both its sides must know.</summary>
public static class UploadClaim
{
    /// <summary>How long a hold lasts without a word from its holder.</summary>
    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(60);

    /// <summary>How often a holder says that it is at work.</summary>
    public static readonly TimeSpan RenewalInterval = TimeSpan.FromSeconds(15);
}

/// <summary>A request wants to append.</summary>
/// <param name="IssuedAt">When the session's id was made.</param>
/// <param name="Offset">Where its bytes start; null: at the end, wherever that is.</param>
/// <param name="Algorithm">How the client will name the content, where it said so: recorded when the session is first stored.</param>
[GenerateSerializer, Immutable, Alias("granary.begin-upload")]
public sealed record BeginUpload(
    [property: Id(0)] DateTimeOffset IssuedAt,
    [property: Id(1)] long? Offset,
    [property: Id(2)] DigestAlgorithm Algorithm);

/// <summary>What became of a <see cref="BeginUpload"/>.</summary>
[GenerateSerializer, Immutable, Alias("granary.begin-answer")]
public abstract record BeginAnswer
{
    private protected BeginAnswer()
    {
    }
}

/// <summary>The caller holds the tail.</summary>
/// <param name="Epoch">The number of its hold; newer than all before.</param>
/// <param name="Object">The object that holds the bytes.</param>
/// <param name="Offset">How many bytes of it count.</param>
[GenerateSerializer, Immutable, Alias("granary.upload-begun")]
public sealed record UploadBegun([property: Id(0)] long Epoch, [property: Id(1)] ObjectId Object, [property: Id(2)] long Offset) : BeginAnswer;

/// <summary>The bytes do not start where the session ends, or another request holds the tail.</summary>
/// <param name="Offset">How many bytes are there.</param>
[GenerateSerializer, Immutable, Alias("granary.upload-elsewhere")]
public sealed record UploadOffsetMismatch([property: Id(0)] long Offset) : BeginAnswer;

/// <summary>The session is finished, cancelled or expired.</summary>
[GenerateSerializer, Immutable, Alias("granary.upload-over")]
public sealed record UploadOver : BeginAnswer;

/// <summary>What is known of a session.</summary>
[GenerateSerializer, Immutable, Alias("granary.upload-status")]
public abstract record UploadStatus
{
    private protected UploadStatus()
    {
    }
}

/// <summary>Nothing was ever stored: a fresh session, if its id is genuine and not too old.</summary>
[GenerateSerializer, Immutable, Alias("granary.status-unstored")]
public sealed record UploadUnstored : UploadStatus;

/// <summary>The session can go on.</summary>
/// <param name="Epoch">The last hold.</param>
/// <param name="Offset">How many bytes are durable.</param>
/// <param name="Object">Where they are.</param>
/// <param name="Algorithm">The algorithm that the client announced, or SHA-256.</param>
[GenerateSerializer, Immutable, Alias("granary.status-open")]
public sealed record UploadOpen(
    [property: Id(0)] long Epoch,
    [property: Id(1)] long Offset,
    [property: Id(2)] ObjectId Object,
    [property: Id(3)] DigestAlgorithm Algorithm) : UploadStatus;

/// <summary>The session was closed over its content.</summary>
/// <param name="Digest">The digest.</param>
/// <param name="Content">The object and its size.</param>
/// <param name="Deadline">Until when it can become a blob.</param>
[GenerateSerializer, Immutable, Alias("granary.status-sealed")]
public sealed record SealedUpload(
    [property: Id(0)] Digest Digest,
    [property: Id(1)] Blobs.ObjectContent Content,
    [property: Id(2)] DateTimeOffset Deadline) : UploadStatus;

/// <summary>The session was given up.</summary>
/// <param name="Object">What it had stored, for the caller to delete; null if nothing.</param>
[GenerateSerializer, Immutable, Alias("granary.status-cancelled")]
public sealed record CancelledUpload([property: Id(0)] ObjectId? Object) : UploadStatus;

/// <summary>What is to be done about a session.</summary>
[GenerateSerializer, Immutable, Alias("granary.expire-answer")]
public abstract record ExpireAnswer
{
    private protected ExpireAnswer()
    {
    }
}

/// <summary>Nothing was ever stored.</summary>
[GenerateSerializer, Immutable, Alias("granary.expire-nothing")]
public sealed record ExpireNothing : ExpireAnswer;

/// <summary>Its time has not come.</summary>
/// <param name="Due">When to look again.</param>
[GenerateSerializer, Immutable, Alias("granary.expire-later")]
public sealed record ExpireLater([property: Id(0)] DateTimeOffset Due) : ExpireAnswer;

/// <summary>It was never closed: its object is nobody's.</summary>
/// <param name="Object">What it had stored; null if nothing.</param>
[GenerateSerializer, Immutable, Alias("granary.expire-open")]
public sealed record ExpireOpen([property: Id(0)] ObjectId? Object) : ExpireAnswer;

/// <summary>It was closed: the shard knows whose its object is.</summary>
/// <param name="Digest">The digest it was closed under.</param>
/// <param name="Object">The object.</param>
/// <param name="Deadline">Until when the object could become a blob.</param>
/// <param name="KeepUntil">Until when the session's row has to stay, because its id still proves itself and would begin another session; null: it can go.</param>
[GenerateSerializer, Immutable, Alias("granary.expire-sealed")]
public sealed record ExpireSealed(
    [property: Id(0)] Digest Digest,
    [property: Id(1)] ObjectId Object,
    [property: Id(2)] DateTimeOffset Deadline,
    [property: Id(3)] DateTimeOffset? KeepUntil = null) : ExpireAnswer;

/// <summary>It was closed, and Renounce has decided about its object: only its row is left, and can go.</summary>
[GenerateSerializer, Immutable, Alias("granary.expire-renounced")]
public sealed record ExpireRenounced : ExpireAnswer;
