using Granary.Grains.Interfaces.Uploads;
using Granary.Storage.Blobs;

namespace Granary.Gateway.Uploads;

/// <summary>Takes the tails of uploads for requests that want to write.</summary>
internal sealed class UploadTails(UploadSessions sessions, IBlobStore store, ParkedHashes parked, TimeProvider time)
{
    /// <summary>Asks for the tail of a session.</summary>
    /// <param name="id">The session.</param>
    /// <param name="offset">Where the request's bytes start; null for the end.</param>
    public async Task<TailAnswer> TakeAsync(UploadId id, long? offset)
    {
        var session = sessions.Grain(id);
        var command = new BeginUpload(id.IssuedAt, offset, id.Algorithm);
        switch (await GrainCalls.RetryOnceAsync(() => session.Begin(command, CancellationToken.None)))
        {
            case UploadElsewhere elsewhere:
                return new TailAnswer.Elsewhere(elsewhere.Offset);

            case UploadBegun begun:
                try
                {
                    if (await store.TakeAsync(begun.Object, begun.Epoch, begun.Offset, CancellationToken.None) is { } writer)
                    {
                        return new TailAnswer.Held(new UploadTail(id, begun, session, store, writer, parked, time));
                    }
                }
                catch (EpochFencedException)
                {
                    // Somebody began after us, and was faster here.
                    return new TailAnswer.Elsewhere(begun.Offset);
                }

                // The storage lost bytes that were durable: the session cannot go on, and must not look as if it could.
                await CancelAsync(id);
                return new TailAnswer.Over();

            default:
                return new TailAnswer.Over();
        }
    }

    /// <summary>Gives a session up and removes what it stored; false if it is finished or was given up before.</summary>
    public async Task<bool> CancelAsync(UploadId id)
    {
        var session = sessions.Grain(id);
        var cancelled = await GrainCalls.RetryOnceAsync(() => session.Cancel(id.IssuedAt, CancellationToken.None));
        if (cancelled?.Object is { } stored)
        {
            await store.DeleteAsync(stored, digest: null, CancellationToken.None);
        }

        return cancelled is not null;
    }
}
