using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Uploads;
using Granary.Protocol;
using Granary.Storage;
using Granary.Storage.Blobs;
using Granary.Storage.Space;

namespace Granary.Gateway.Uploads;

/// <summary>Takes the tails of uploads for requests that want to write.</summary>
internal sealed class UploadWriters(UploadSessions sessions, IBlobStore store, IFreeSpace space, RunningHashCache parked, TimeProvider time)
{
    /// <summary>Asks for the tail of a session.</summary>
    /// <param name="id">The session.</param>
    /// <param name="offset">Where the request's bytes start; null for the end.</param>
    public async Task<ClaimAnswer> OpenWriterAsync(UploadId id, long? offset)
    {
        var session = sessions.Grain(id);
        var command = new BeginUpload(id.IssuedAt, offset, id.Algorithm);
        switch (await GrainCalls.RetryOnceAsync(() => session.Begin(command, CancellationToken.None)))
        {
            case UploadOffsetMismatch elsewhere:
                return new ClaimAnswer.Elsewhere(elsewhere.Offset);

            case UploadBegun begun:
                try
                {
                    if (await store.OpenWriterAsync(begun.Object, begun.Epoch, begun.Offset, CancellationToken.None) is { } writer)
                    {
                        return new ClaimAnswer.Held(new UploadWriter(id, begun, session, store, writer, parked, time));
                    }
                }
                catch (EpochFencedException)
                {
                    // Somebody began after us, and was faster here.
                    return new ClaimAnswer.Elsewhere(begun.Offset);
                }

                // The storage lost bytes that were durable: the session cannot go on, and must not look as if it could.
                await CancelAsync(id);
                return new ClaimAnswer.Over();

            default:
                return new ClaimAnswer.Over();
        }
    }

    /// <summary>
    /// Asks for room for the bytes that a request brings. If there is none, the session ends, and the bytes that earlier requests brought
    /// are deleted.
    /// </summary>
    /// <exception cref="OutOfSpaceException">There is no room.</exception>
    public async Task<SpaceAllowance> AllowAsync(UploadId id, UploadChunk chunk)
    {
        try
        {
            return space.Allow(chunk.Length ?? 0);
        }
        catch (OutOfSpaceException)
        {
            if (await sessions.FindAsync(id, CancellationToken.None) is UploadOpen session)
            {
                await DropAsync(id, session.Object);
            }

            throw;
        }
    }

    /// <summary>Whether a request failed because the disk is full.</summary>
    public static bool IsForWantOfRoom(Exception exception) =>
        exception is StorageException { Fault: StorageFault.Full } or PartitionUnavailableException { Fault: PartitionFault.Full };

    /// <summary>
    /// Ends a session whose next bytes have no room, and deletes those that it has. Kept for a later try, they would fill the disk.
    /// </summary>
    public Task DropAsync(UploadId id, UploadWriter tail)
    {
        tail.Abandon();
        return DropAsync(id, tail.Object);
    }

    private async Task DropAsync(UploadId id, ObjectId stored)
    {
        try
        {
            await CancelAsync(id);
        }
        catch (Exception e)
            when (e is PartitionUnavailableException or StorageException or TimeoutException || GrainCalls.IsClusterFault(e))
        {
            // Not even that has room. Without its object the session cannot go on either, and the next request to it ends it.
            await DeleteQuietlyAsync(stored);
        }
    }

    private async Task DeleteQuietlyAsync(ObjectId stored)
    {
        try
        {
            await store.DeleteAsync(stored, digest: null, CancellationToken.None);
        }
        catch (StorageException)
        {
            // The bytes stay until uploads.expiry. What the client is told is why its own request failed.
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
