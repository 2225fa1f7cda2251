using Granary.Grains.Interfaces.Cluster;
using Granary.Grains.Interfaces.Uploads;
using Granary.Protocol;
using Microsoft.Extensions.Options;

namespace Granary.Gateway.Uploads;

/// <summary>Issues the ids of upload sessions and finds the sessions. Each gateway of a cluster verifies the ids of all of them.</summary>
internal sealed class UploadSessions(IGrainFactory grains, GrainCalls calls, IOptions<UploadOptions> options, TimeProvider time)
{
    private byte[]? _key;

    /// <summary>Issues an id. Nothing is stored.</summary>
    public async ValueTask<UploadId> IssueAsync(RepositoryName repository, DigestAlgorithm algorithm) =>
        UploadId.Issue(await GetKeyAsync(), repository, algorithm, time.GetUtcNow());

    /// <summary>Returns the id that a text is; null if this cluster did not issue it for this repository.</summary>
    public async ValueTask<UploadId?> VerifyAsync(RepositoryName repository, string text) =>
        UploadId.Verify(await GetKeyAsync(), repository, text);

    /// <summary>Returns the grain of a session.</summary>
    public IUploadSessionGrain Grain(UploadId id) => grains.GetGrain<IUploadSessionGrain>(id.Text);

    /// <summary>Returns whether an id is too old to begin a session.</summary>
    public bool IsExpired(UploadId id) => time.GetUtcNow() - id.IssuedAt > options.Value.Expiry;

    /// <summary>Returns the state of a session; null if it is over, or if it is not stored and its id is too old to begin it.</summary>
    public async ValueTask<UploadStatus?> FindAsync(UploadId id, CancellationToken cancellationToken)
    {
        var statuses = grains.GetGrain<IUploadStatusGrain>(0);
        var status = await calls.RepeatAsync(() => statuses.Find(id.Text, cancellationToken), cancellationToken);
        return status is CancelledUpload || (status is UploadUnstored && IsExpired(id)) ? null : status;
    }

    private async ValueTask<byte[]> GetKeyAsync() =>
        _key ??= await calls.RepeatAsync(
        () => grains.GetGrain<IClusterGrain>(0).GetUploadKey(CancellationToken.None),
        CancellationToken.None);
}
