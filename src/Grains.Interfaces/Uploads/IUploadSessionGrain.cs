using Granary.Protocol;
using Granary.Protocol.Hashing;
using Orleans.Concurrency;

namespace Granary.Grains.Interfaces.Uploads;

/// <summary>
/// An upload session: the offset of the upload, and the claim on it. The key is the session's id, which the gateway has signed and verifies
/// itself. So a session that has received no byte needs no row (docs/architecture.md, "Bytes").
/// </summary>
/// <remarks>All methods throw <see cref="PartitionUnavailableException"/>. All may be repeated.</remarks>
[Alias("granary.upload-session")]
public interface IUploadSessionGrain : IGrainWithStringKey
{
    /// <summary>Claims the session for one request. The first call stores the session.</summary>
    [AlwaysInterleave, Alias("begin")]
    Task<BeginAnswer> Begin(BeginUpload command, CancellationToken cancellationToken);

    /// <summary>
    /// Renews the claim of a request that is still at work. A claim ends without this after <see cref="UploadClaim.Timeout"/>. Returns
    /// false if the claim has ended.
    /// </summary>
    [AlwaysInterleave, Alias("renew")]
    Task<bool> Renew(long epoch, CancellationToken cancellationToken);

    /// <summary>
    /// Records how many bytes are durable. Returns false, and records nothing, if the claim has ended, or if more bytes are recorded
    /// already: this call is then a late copy, or an older one.
    /// </summary>
    /// <param name="epoch">The epoch of the claim.</param>
    /// <param name="offset">The number of durable bytes.</param>
    /// <param name="hash">
    /// The hash of these bytes, from a gateway that cannot read them back later; otherwise null. The next gateway goes on with it.
    /// </param>
    /// <param name="endClaim">Whether this ends the claim, because the request is over.</param>
    /// <param name="cancellationToken">Ends the caller's wait.</param>
    [AlwaysInterleave, Alias("advance")]
    Task<bool> Advance(
        long epoch,
        long offset,
        [Immutable] HashState? hash,
        bool endClaim,
        CancellationToken cancellationToken);

    /// <summary>
    /// Closes the session over its content. From then on no request can append to it or cancel it, and only Renounce decides about the
    /// object (<c>seal</c>). A repeat with the same digest returns the same.
    /// </summary>
    /// <param name="epoch">
    /// The epoch of the claim, or of the last claim if it was ended and no request has claimed the session since.
    /// </param>
    /// <param name="digest">The digest of the content.</param>
    /// <param name="size">Its size in bytes, all of them durable.</param>
    /// <param name="cancellationToken">Ends the caller's wait.</param>
    /// <returns>Null if the claim or the session has ended. Nothing was changed then.</returns>
    [AlwaysInterleave, Alias("seal")]
    Task<SealedUpload?> Seal(long epoch, Digest digest, long size, CancellationToken cancellationToken);

    /// <summary>Cancels the session, even one that was never stored. Returns null if it is sealed, cancelled or expired.</summary>
    [AlwaysInterleave, Alias("cancel")]
    Task<CancelledUpload?> Cancel(DateTimeOffset issuedAt, CancellationToken cancellationToken);

    /// <summary>Cancels the session if it has expired and was never sealed. Returns what the sweep has to do about it.</summary>
    [AlwaysInterleave, Alias("expire")]
    Task<ExpireAnswer> Expire(CancellationToken cancellationToken);

    /// <summary>
    /// Records that another object has the content of this sealed session, so that its own is an orphan. The next sweep then asks Renounce
    /// about it instead of waiting for the end of the session (<c>hint</c>). Does nothing to a session that is not sealed or is renounced.
    /// </summary>
    [AlwaysInterleave, Alias("orphan")]
    Task Orphan(CancellationToken cancellationToken);

    /// <summary>
    /// Records that Renounce has decided about the object of a sealed session whose row has to stay (<see cref="ExpireSealed.KeepUntil"/>).
    /// </summary>
    [AlwaysInterleave, Alias("record-renounced")]
    Task RecordRenounced(CancellationToken cancellationToken);

    /// <summary>Removes the rows of the session. The caller has done before what <see cref="Expire"/> answered.</summary>
    [AlwaysInterleave, Alias("forget")]
    Task Remove(CancellationToken cancellationToken);
}
