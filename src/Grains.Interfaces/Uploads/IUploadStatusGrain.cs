using Orleans.Concurrency;

namespace Granary.Grains.Interfaces.Uploads;

/// <summary>
/// Reads what is stored of upload sessions, each time from the store. Most sessions are never stored, and their only request asks only
/// this. An activation of <see cref="IUploadSessionGrain"/> that answers "nothing is stored" would cost more than the answer, and its
/// memory until it is idle. Each silo that is asked has one such grain, with the key 0.
/// </summary>
/// <remarks>All methods throw <see cref="PartitionUnavailableException"/>. All may be repeated.</remarks>
[Alias("granary.upload-statuses")]
public interface IUploadStatusGrain : IGrainWithIntegerKey
{
    /// <summary>Returns what is durable of a session at some moment during the call.</summary>
    /// <param name="id">The session's id, which the caller has verified.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("find")]
    Task<UploadStatus> Find(string id, CancellationToken cancellationToken);
}
