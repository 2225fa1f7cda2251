using Granary.Gateway.Http;
using Granary.Gateway.Transfer;
using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Interfaces.Uploads;
using Granary.Protocol;
using Granary.Storage.Blobs;
using Granary.Storage.Space;
using Microsoft.Extensions.Options;

namespace Granary.Gateway.Uploads;

/// <summary>How an upload ends, whichever request ends it: the last bytes, the digest, the seal, the link.</summary>
internal sealed class BlobPush(
    UploadWriters tails,
    UploadSessions sessions,
    IBlobStore store,
    RunningHashCache parked,
    IGrainFactory grains,
    IOptions<UploadOptions> options,
    TimeProvider time)
{
    /// <summary>
    /// A blob that comes whole, to a session of which nothing is stored. A small one becomes rows: no object, no session, one call. A longer one is an object.
    /// </summary>
    public async Task PushWholeAsync(RegistryRequest request, UploadId id, Digest digest, UploadChunk chunk)
    {
        if (chunk.Offset is not (null or 0))
        {
            await UploadAnswers.OutOfOrderAsync(request, id, offset: 0);
            return;
        }

        using var space = await tails.AllowAsync(id, chunk);
        using var body = new RequestBody(request.Http, options.Value.IdleTimeout, time);
        if (await body.ReadWholeAsync(BlobContent.MaxInlineSize) is not { } bytes)
        {
            await PushTailAsync(request, id, digest, chunk, body, space);
            return;
        }

        if (chunk.Length is { } announced && announced != bytes.Length)
        {
            await request.RefuseAsync(RegistryError.SizeInvalid);
            return;
        }

        var actual = Digest.Compute(digest.Algorithm, bytes);
        if (actual != digest)
        {
            await request.RefuseDigestAsync(digest, actual);
            return;
        }

        await AnswerAsync(request, digest, await LinkAsync(request, digest, new InlineContent(bytes), deadline: default) is LinkAnswer.Linked or LinkAnswer.LinkedToOther);
    }

    /// <summary>The last bytes of a session, if any, and its end.</summary>
    public async Task FinishAsync(RegistryRequest request, UploadId id, Digest digest, UploadOpen session, UploadChunk chunk)
    {
        if (chunk.Offset is { } offset && offset != session.Offset)
        {
            await UploadAnswers.OutOfOrderAsync(request, id, session.Offset);
        }
        else if (RequestBody.IsAbsent(request.Http))
        {
            await FinishWithoutBodyAsync(request, id, digest, session);
        }
        else
        {
            using var space = await tails.AllowAsync(id, chunk);
            using var body = new RequestBody(request.Http, options.Value.IdleTimeout, time);
            await PushTailAsync(request, id, digest, chunk, body, space);
        }
    }

    /// <summary>Gives the object of a sealed session its name, and the repository the blob. A repeat answers the same for as long as the blob is in the repository.</summary>
    public async Task ConcludeAsync(RegistryRequest request, UploadId id, SealedUpload upload)
    {
        if (!await store.SealAsync(upload.Content.Object, upload.Digest, CancellationToken.None))
        {
            // Renounce has given the object up, since another one holds the content: the repository knows whether it still has the blob.
            var repository = grains.GetGrain<IRepositoryGrain>(request.Repository.Value);
            var size = await GrainCalls.RetryOnceAsync(() => repository.FindBlobSize(upload.Digest, CancellationToken.None));
            await AnswerAsync(request, upload.Digest, size is not null);
            return;
        }

        var answer = await LinkAsync(request, upload.Digest, upload.Content, upload.Deadline);
        if (answer is LinkAnswer.LinkedToOther)
        {
            await OrphanAsync(id);
        }

        await AnswerAsync(request, upload.Digest, answer is LinkAnswer.Linked or LinkAnswer.LinkedToOther);
    }

    private async Task PushTailAsync(
        RegistryRequest request,
        UploadId id,
        Digest digest,
        UploadChunk chunk,
        RequestBody body,
        SpaceAllowance space)
    {
        switch (await tails.OpenWriterAsync(id, chunk.Offset))
        {
            case ClaimAnswer.Elsewhere elsewhere:
                await UploadAnswers.OutOfOrderAsync(request, id, elsewhere.Offset);
                break;

            case ClaimAnswer.Held { Tail: var tail }:
                await using (tail)
                {
                    await PushTailAsync(request, id, digest, chunk, body, space, tail);
                }

                break;

            default:
                await UploadAnswers.UnknownAsync(request);
                break;
        }
    }

    private async Task PushTailAsync(
        RegistryRequest request,
        UploadId id,
        Digest digest,
        UploadChunk chunk,
        RequestBody body,
        SpaceAllowance space,
        UploadWriter tail)
    {
        try
        {
            // :: Step 1: the bytes.
            if (!await tail.ReceiveAsync(body, space, chunk.MaxBytes)
                || (chunk.Length is { } announced && tail.Length - tail.Start != announced))
            {
                await tail.LetGoAsync();
                await request.RefuseAsync(RegistryError.SizeInvalid);
                return;
            }

            // :: Step 2: are they what the client says?
            if (await tail.HashAsync(digest.Algorithm) is not { } actual || actual != digest)
            {
                await tail.LetGoAsync();
                await request.RefuseDigestAsync(digest, actual: null);
                return;
            }

            // :: Step 3: from here on they are this digest's for ever.
            if (await tail.SealAsync(digest) is { } upload)
            {
                await ConcludeAsync(request, id, upload);
                return;
            }
        }
        catch (BrokenBodyException)
        {
            await tail.AdvanceAsync();
            throw;
        }
        catch (EpochFencedException)
        {
            // Another request went on with the session; it says how far.
        }
        catch (Exception e) when (UploadWriters.IsForWantOfRoom(e) && !tail.IsSealed)
        {
            await tails.DropAsync(id, tail);
            throw;
        }

        await OvertakenAsync(request, id);
    }

    private async Task FinishWithoutBodyAsync(RegistryRequest request, UploadId id, Digest digest, UploadOpen session)
    {
        var actual = await HashAsync(id, session, digest.Algorithm);
        if (actual != digest)
        {
            await request.RefuseDigestAsync(digest, actual);
            return;
        }

        // Everything is durable since the last Advance: nothing to take hold of. If another request did meanwhile, its epoch is newer and Seal says no.
        var grain = sessions.Grain(id);
        if (await GrainCalls.RetryOnceAsync(() => grain.Seal(session.Epoch, digest, session.Offset, CancellationToken.None)) is { } upload)
        {
            await ConcludeAsync(request, id, upload);
        }
        else
        {
            await OvertakenAsync(request, id);
        }
    }

    private async Task<Digest?> HashAsync(UploadId id, UploadOpen session, DigestAlgorithm algorithm)
    {
        using var hash = parked.Take(id, session.Offset);
        return hash?.Algorithm == algorithm
            ? hash.ToDigest()
            : await UploadWriter.RehashAsync(store, session.Object, session.Offset, algorithm, () => ValueTask.CompletedTask);
    }

    private Task<LinkAnswer> LinkAsync(RegistryRequest request, Digest digest, BlobContent content, DateTimeOffset deadline)
    {
        var repository = grains.GetGrain<IRepositoryGrain>(request.Repository.Value);
        return GrainCalls.RetryOnceAsync(() => repository.LinkBlob(digest, content, deadline, CancellationToken.None));
    }

    private static Task AnswerAsync(RegistryRequest request, Digest digest, bool isLinked) =>
        isLinked ? UploadAnswers.CreatedAsync(request, digest) : UploadAnswers.UnknownAsync(request);

    /// <summary>Asks for the session's object to go soon. Best effort: without it the object goes when the session ends.</summary>
    private async Task OrphanAsync(UploadId id)
    {
        var session = sessions.Grain(id);
        try
        {
            await session.Orphan(CancellationToken.None);
        }
        catch (Exception e) when (e is PartitionUnavailableException or TimeoutException or OrleansException)
        {
            // The client's blob is in the repository: its push has succeeded.
        }
    }

    /// <summary>Answers what became of the session meanwhile.</summary>
    private async Task OvertakenAsync(RegistryRequest request, UploadId id)
    {
        if (await sessions.FindAsync(id, request.Aborted) is UploadOpen { Offset: var offset })
        {
            await UploadAnswers.OutOfOrderAsync(request, id, offset);
        }
        else
        {
            await UploadAnswers.UnknownAsync(request);
        }
    }
}
