using Granary.Grains.Interfaces.Cluster;
using Granary.Grains.Interfaces.Uploads;
using Granary.Protocol;
using Microsoft.Extensions.Options;

namespace Granary.Gateway.Uploads;

/// <summary>Issues upload sessions and finds them again: any gateway of the cluster knows the ids of all.</summary>
public sealed class UploadSessions(IGrainFactory grains, IOptions<UploadOptions> options, TimeProvider time)
{
    private byte[]? _key;

    /// <summary>Makes an id. Nothing is stored.</summary>
    public async ValueTask<UploadId> IssueAsync(RepositoryName repository, DigestAlgorithm algorithm) =>
        UploadId.Issue(await GetKeyAsync(), repository, algorithm, time.GetUtcNow());

    /// <summary>Knows an id again; null if it was not issued for this repository.</summary>
    public async ValueTask<UploadId?> RecognizeAsync(RepositoryName repository, string text) =>
        UploadId.Recognize(await GetKeyAsync(), repository, text);

    /// <summary>The grain of a session.</summary>
    public IUploadSessionGrain Grain(UploadId id) => grains.GetGrain<IUploadSessionGrain>(id.Text);

    /// <summary>Whether a session of which nothing is stored is one no longer.</summary>
    public bool IsExpired(UploadId id) => time.GetUtcNow() - id.IssuedAt > options.Value.Expiry;

    /// <summary>What is known of a session; null if it is over, or was never stored and is too old to begin.</summary>
    public async ValueTask<UploadStatus?> FindAsync(UploadId id, CancellationToken cancellationToken)
    {
        var status = await GrainCalls.RetryOnceAsync(() => grains.GetGrain<IUploadStatusGrain>(0).Find(id.Text, cancellationToken));
        return status is CancelledUpload || (status is UploadUnstored && IsExpired(id)) ? null : status;
    }

    private async ValueTask<byte[]> GetKeyAsync() =>
        _key ??= await GrainCalls.RetryOnceAsync(() => grains.GetGrain<IClusterGrain>(0).GetUploadKey(CancellationToken.None));
}
