using Orleans.Concurrency;

namespace Granary.Grains.Interfaces.Uploads;

/// <summary>
/// One of the 16 grains that know when upload sessions are to be looked at. An entry is durable before its session is, so that no session is ever forgotten.
/// </summary>
[Alias("granary.upload-expiry")]
public interface IUploadExpiryGrain : IGrainWithIntegerKey
{
    /// <summary>How many of them there are.</summary>
    const int Count = 16;

    /// <summary>Records that a session is to be looked at.</summary>
    [AlwaysInterleave, Alias("schedule")]
    Task Schedule(string uploadId, DateTimeOffset due, CancellationToken cancellationToken);

    /// <summary>The first entries that are due, at most <paramref name="limit"/>.</summary>
    [AlwaysInterleave, Alias("due")]
    Task<ScheduledUpload[]> Due(int limit, CancellationToken cancellationToken);

    /// <summary>Removes an entry.</summary>
    [AlwaysInterleave, Alias("remove")]
    Task Remove(ScheduledUpload entry, CancellationToken cancellationToken);
}

/// <summary>A session that is to be looked at.</summary>
/// <param name="UploadId">The session.</param>
/// <param name="Due">When.</param>
[GenerateSerializer, Immutable, Alias("granary.scheduled-upload")]
public sealed record ScheduledUpload([property: Id(0)] string UploadId, [property: Id(1)] DateTimeOffset Due);
