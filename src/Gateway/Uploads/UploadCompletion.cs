using Granary.Gateway.Http;
using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Interfaces.Uploads;
using Granary.Protocol;
using Granary.Protocol.Hashing;
using Granary.Storage.Blobs;

namespace Granary.Gateway.Uploads;

/// <summary>Makes an uploaded content a blob of its repository: checks its digest, seals its session, links the blob and answers.</summary>
internal sealed class UploadCompletion(
    UploadSessions sessions,
    GrainCalls calls,
    UploadWriters writers,
    IBlobStore store,
    RunningHashCache hashes,
    RequestOrigin origins,
    IGrainFactory grains)
{
    /// <summary>Links a small blob that came in one request. Its bytes become a row: it needs no object and no session.</summary>
    public async Task CompleteInlineAsync(RegistryRequest request, Digest digest, byte[] bytes)
    {
        var actual = Digest.Compute(digest.Algorithm, bytes);
        if (actual != digest)
        {
            await request.RefuseDigestAsync(digest, actual);
            return;
        }

        await AnswerAsync(request, digest, await LinkAsync(request, digest, new InlineContent(bytes), deadline: default));
    }

    /// <summary>
    /// Returns whether a session can be completed without a claim: its bytes can be read at any time, or their hash is recorded.
    /// </summary>
    public bool NeedsNoClaim(UploadOpen session, Digest digest) => store.ReadsUnsealed || session.Hash?.Algorithm == digest.Algorithm;

    /// <summary>Seals a session whose bytes are all durable, and links its blob (<see cref="NeedsNoClaim"/>).</summary>
    public async Task CompleteAsync(RegistryRequest request, UploadId id, UploadOpen session, Digest digest)
    {
        if (await HashAsync(id, session, digest.Algorithm) is not { } actual)
        {
            await writers.CancelAsync(id);
            await UploadAnswers.UnknownAsync(request);
            return;
        }

        if (actual != digest)
        {
            await request.RefuseDigestAsync(digest, actual);
            return;
        }

        // No claim is needed: the last Advance made all bytes durable. If another request has claimed the session since, its epoch is
        // newer, and Seal refuses.
        var grain = sessions.Grain(id);
        var upload = await calls.RepeatAsync(
            () => grain.Seal(session.Epoch, digest, session.Offset, CancellationToken.None),
            CancellationToken.None);
        if (upload is not null)
        {
            await CompleteAsync(request, id, upload);
        }
        else
        {
            await AnswerFencedAsync(request, id);
        }
    }

    /// <summary>
    /// Seals the object of a sealed session and links its blob. A repeated request gets the same answer for as long as the repository has
    /// the blob.
    /// </summary>
    /// <param name="request">The request.</param>
    /// <param name="id">The session.</param>
    /// <param name="upload">What the session was sealed over.</param>
    /// <param name="writer">The writer of the whole content, which may seal it with fewer requests; null if there is none.</param>
    public async Task CompleteAsync(RegistryRequest request, UploadId id, SealedUpload upload, UploadWriter? writer = null)
    {
        var isSealed = writer is null
            ? await store.SealAsync(upload.Content.Object, upload.Digest, upload.Content.Size, CancellationToken.None)
            : await writer.SealObjectAsync(upload.Digest);
        if (!isSealed)
        {
            // Renounce has given up the object, because the blob has another one. The repository knows whether it still has the blob.
            var repository = grains.GetGrain<IRepositoryGrain>(request.Repository.Value);
            var size = await calls.RepeatAsync(() => repository.FindBlobSize(upload.Digest, CancellationToken.None), request.Aborted);
            await (size is null ? UploadAnswers.UnknownAsync(request) : UploadAnswers.CreatedAsync(request, upload.Digest));
            return;
        }

        var answer = await LinkAsync(request, upload.Digest, upload.Content, upload.Deadline);
        if (answer is LinkAnswer.LinkedToOther)
        {
            await OrphanAsync(id);
        }

        await AnswerAsync(request, upload.Digest, answer);
    }

    /// <summary>Answers a request whose claim another request has fenced off: tells the client where the session ends now.</summary>
    public async Task AnswerFencedAsync(RegistryRequest request, UploadId id)
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

    /// <summary>
    /// Returns the digest of a session's bytes; null if its object is gone, because the session has ended or the storage lost the bytes.
    /// </summary>
    private async Task<Digest?> HashAsync(UploadId id, UploadOpen session, DigestAlgorithm algorithm)
    {
        using var hash = session.Hash is { } state ? ResumableHash.Resume(state) : hashes.Take(id, session.Offset);
        return hash?.Algorithm == algorithm
            ? hash.ToDigest()
            : await UploadWriter.RehashAsync(store, session.Object, session.Offset, algorithm, () => ValueTask.CompletedTask);
    }

    private Task<LinkAnswer> LinkAsync(RegistryRequest request, Digest digest, BlobContent content, DateTimeOffset deadline)
    {
        var repository = grains.GetGrain<IRepositoryGrain>(request.Repository.Value);
        var command = new LinkBlob(digest, content, deadline) { Origin = origins.Of(request.Http, ChangeCause.Push) };
        return calls.SendAsync(command, attempt => repository.LinkBlob(attempt, CancellationToken.None), request.Aborted);
    }

    private static Task AnswerAsync(RegistryRequest request, Digest digest, LinkAnswer answer) =>
        answer is LinkAnswer.Linked or LinkAnswer.LinkedToOther
            ? UploadAnswers.CreatedAsync(request, digest)
            : UploadAnswers.UnknownAsync(request);

    /// <summary>Asks the session to let its object be deleted soon. If the call fails, the object goes when the session expires.</summary>
    private async Task OrphanAsync(UploadId id)
    {
        var session = sessions.Grain(id);
        try
        {
            await session.Orphan(CancellationToken.None);
        }
        catch (Exception e) when (e is PartitionUnavailableException or TimeoutException or OrleansException)
        {
            // The repository has the client's blob: the push has succeeded.
        }
    }
}
