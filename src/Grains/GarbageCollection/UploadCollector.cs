using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Uploads;
using Granary.Storage.Blobs;

namespace Granary.Grains.GarbageCollection;

/// <summary>Ends upload sessions that are due. Each step can be repeated, because the session's row goes last.</summary>
internal sealed class UploadCollector(IGrainFactory grains, IBlobStore store)
{
    /// <summary>Returns the only step of a session.</summary>
    public SubjectStep Begin(string id, CollectionCounts counts, CancellationToken cancellationToken) =>
        async _ => new SubjectAnswer(More: false, await ExpireAsync(id, counts, cancellationToken));

    private async Task<DateTimeOffset?> ExpireAsync(string id, CollectionCounts counts, CancellationToken cancellationToken)
    {
        var session = grains.GetGrain<IUploadSessionGrain>(id);
        switch (await session.Expire(cancellationToken))
        {
            case ExpireLater later:
                return later.Due;

            case ExpireOpen upload:
                await RemoveOpenAsync(session, upload, counts, cancellationToken);
                return null;

            case ExpireSealed upload:
                return await RenounceAsync(session, upload, counts, cancellationToken);

            case ExpireRenounced:
                await session.Remove(cancellationToken);
                return null;

            default:
                return null;
        }
    }

    private async Task RemoveOpenAsync(
        IUploadSessionGrain session,
        ExpireOpen upload,
        CollectionCounts counts,
        CancellationToken cancellationToken)
    {
        if (upload.Object is { } @object)
        {
            await store.DeleteAsync(@object, digest: null, cancellationToken);
            counts.Add(new CollectionCounts { ObjectsDeleted = 1 });
        }

        await session.Remove(cancellationToken);
        counts.Add(new CollectionCounts { UploadsExpired = 1 });
    }

    /// <summary>
    /// Lets the shard decide about the object of a sealed session (rule <c>ren</c>). Returns until when the session's row stays; null if it
    /// is removed.
    /// </summary>
    private async Task<DateTimeOffset?> RenounceAsync(
        IUploadSessionGrain session,
        ExpireSealed upload,
        CollectionCounts counts,
        CancellationToken cancellationToken)
    {
        var shard = grains.GetGrain<IBlobShardGrain>(upload.Digest.FirstByte);
        if (await shard.Renounce(upload.Digest, upload.Object, upload.Deadline, cancellationToken) == RenounceAnswer.Renounced)
        {
            await store.DeleteAsync(upload.Object, upload.Digest, cancellationToken);
            counts.Add(new CollectionCounts { ObjectsDeleted = 1 });
        }

        if (upload.KeepUntil is { } keepUntil)
        {
            await session.RecordRenounced(cancellationToken);
            return keepUntil;
        }

        await session.Remove(cancellationToken);
        return null;
    }
}
