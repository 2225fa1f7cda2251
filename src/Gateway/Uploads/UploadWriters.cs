using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Uploads;
using Granary.Protocol;
using Granary.Storage;
using Granary.Storage.Blobs;
using Granary.Storage.Space;

namespace Granary.Gateway.Uploads;

/// <summary>Claims upload sessions for requests that write, opens their objects, and cancels sessions that cannot continue.</summary>
internal sealed class UploadWriters(
    UploadSessions sessions,
    GrainCalls calls,
    IBlobStore store,
    IFreeSpace space,
    RunningHashCache hashes,
    TimeProvider time)
{
    /// <summary>Claims a session. The first claim stores it.</summary>
    /// <param name="id">The session.</param>
    /// <param name="offset">Where the request's bytes start; null for the session's end.</param>
    public Task<BeginAnswer> ClaimAsync(UploadId id, long? offset)
    {
        var session = sessions.Grain(id);
        var command = new BeginUpload(id.IssuedAt, offset, id.Algorithm) { ClaimId = Guid.NewGuid() };
        return calls.RepeatAsync(() => session.Begin(command, CancellationToken.None), CancellationToken.None);
    }

    /// <summary>
    /// Opens the object of a claimed session. If the storage has lost bytes of it that were durable, cancels the session, so that it does
    /// not look as if it could continue, and returns null.
    /// </summary>
    /// <exception cref="EpochFencedException">A request with a newer claim has opened the object.</exception>
    public async Task<UploadWriter?> OpenAsync(UploadId id, UploadBegun claim)
    {
        if (await store.OpenWriterAsync(claim.Object, claim.Epoch, claim.Offset, CancellationToken.None) is { } writer)
        {
            return new UploadWriter(id, claim, sessions.Grain(id), calls, store, writer, hashes, time);
        }

        await CancelAsync(id);
        return null;
    }

    /// <summary>
    /// Returns an allowance for the bytes that a request brings. If there is no room, cancels the session and deletes the bytes that
    /// earlier requests brought: kept for a retry, they would fill the disk.
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

    /// <summary>Returns whether a request failed because the disk is full.</summary>
    public static bool IsOutOfSpace(Exception exception) =>
        exception is StorageException { Fault: StorageFault.Full } or PartitionUnavailableException { Fault: PartitionFault.Full };

    /// <summary>Cancels a session that cannot continue, and deletes its bytes.</summary>
    public Task DropAsync(UploadId id, UploadWriter writer)
    {
        writer.Abandon();
        return DropAsync(id, writer.Object);
    }

    /// <summary>
    /// Cancels a session and deletes its object. Returns false if the session is sealed or was cancelled before. If the first attempt has
    /// failed and a later one finds the session cancelled, the first one has cancelled it. The sweep deletes its object then.
    /// </summary>
    public async Task<bool> CancelAsync(UploadId id)
    {
        var session = sessions.Grain(id);
        var attempts = 0;
        var cancelled = await calls.RepeatAsync(
            () =>
            {
                attempts++;
                return session.Cancel(id.IssuedAt, CancellationToken.None);
            },
            CancellationToken.None);
        if (cancelled?.Object is { } stored)
        {
            await store.DeleteAsync(stored, digest: null, CancellationToken.None);
        }

        return cancelled is not null || attempts > 1;
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
            // The disk has no room for the cancellation either. The object goes first: the next request to the session finds it missing,
            // and cancels the session.
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
            // The bytes stay until uploads.expiry. The client learns why its own request failed, not this.
        }
    }
}
