using Orleans.Concurrency;

namespace Granary.Grains.Interfaces.Uploads;

/// <summary>
/// Answers what is stored of upload sessions, each time from the store. Most sessions are never stored: their one request asks only this, and an <see cref="IUploadSessionGrain"/> that came up
/// to say "nothing" would cost more than the answer, and its memory until it is idle. There is one in each silo that is asked, with the key 0.
/// </summary>
/// <remarks>All methods throw <see cref="PartitionUnavailableException"/>; all may be repeated.</remarks>
[Alias("granary.upload-statuses")]
public interface IUploadStatusGrain : IGrainWithIntegerKey
{
    /// <summary>What is durable of a session, as of some moment during the call.</summary>
    /// <param name="id">The session's id, which has proved itself.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    [AlwaysInterleave, Alias("find")]
    Task<UploadStatus> Find(string id, CancellationToken cancellationToken);
}
