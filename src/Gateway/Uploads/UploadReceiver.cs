using Granary.Gateway.Http;
using Granary.Gateway.Transfer;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Uploads;
using Granary.Protocol;
using Granary.Storage.Blobs;
using Granary.Storage.Space;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace Granary.Gateway.Uploads;

/// <summary>
/// The one write path of uploads.
/// <list type="number">
/// <item>It claims the session.</item>
/// <item>It receives the body.</item>
/// <item>PATCH: it advances the session's offset. PUT and POST: it compares the digest, and seals the session.</item>
/// </list>
/// </summary>
internal sealed class UploadReceiver(
    UploadWriters writers,
    UploadCompletion completion,
    IOptions<UploadOptions> options,
    TimeProvider time)
{
    /// <summary>Appends the body to a session (PATCH).</summary>
    public Task AppendAsync(RegistryRequest request, UploadId id, UploadChunk chunk) => ReceiveAsync(request, id, chunk, digest: null);

    /// <summary>Appends the body to a session and completes the upload (PUT with the last bytes).</summary>
    public Task FinishAsync(RegistryRequest request, UploadId id, UploadChunk chunk, Digest digest) =>
        ReceiveAsync(request, id, chunk, digest);

    /// <summary>
    /// Receives a whole blob for a session that is not stored. A small one is linked without an object and without a session; a longer one
    /// takes the path of all uploads.
    /// </summary>
    public async Task PushAsync(RegistryRequest request, UploadId id, UploadChunk chunk, Digest digest)
    {
        if (chunk.Offset is not (null or 0))
        {
            await UploadAnswers.OutOfOrderAsync(request, id, offset: 0);
            return;
        }

        using var space = await writers.AllowAsync(id, chunk);
        using var body = OpenBody(request);
        if (await body.ReadWholeAsync(BlobContent.MaxInlineSize) is not { } bytes)
        {
            await ClaimAsync(new Transfer(request, id, chunk, digest, body, space));
        }
        else if (chunk.IsAnnouncedLength(bytes.Length))
        {
            await completion.CompleteInlineAsync(request, digest, bytes);
        }
        else
        {
            await request.RefuseAsync(RegistryError.SizeInvalid);
        }
    }

    private async Task ReceiveAsync(RegistryRequest request, UploadId id, UploadChunk chunk, Digest? digest)
    {
        // Before the claim stores the session: a refused request must not take room itself.
        using var space = await writers.AllowAsync(id, chunk);
        using var body = OpenBody(request);
        await ClaimAsync(new Transfer(request, id, chunk, digest, body, space));
    }

    private RequestBody OpenBody(RegistryRequest request) => new(request.Http, options.Value.IdleTimeout, time);

    private async Task ClaimAsync(Transfer transfer)
    {
        // :: Step 1: claim the session.
        switch (await writers.ClaimAsync(transfer.Id, transfer.Chunk.Offset))
        {
            case UploadBegun claim:
                await WriteAsync(transfer, claim);
                break;

            case UploadOffsetMismatch { Offset: var offset }:
                await UploadAnswers.OutOfOrderAsync(transfer.Request, transfer.Id, offset);
                break;

            default:
                await UploadAnswers.UnknownAsync(transfer.Request);
                break;
        }
    }

    private async Task WriteAsync(Transfer transfer, UploadBegun claim)
    {
        try
        {
            await using var writer = await writers.OpenAsync(transfer.Id, claim);
            if (writer is null)
            {
                await UploadAnswers.UnknownAsync(transfer.Request);
                return;
            }

            if (await WriteAsync(transfer, writer))
            {
                return;
            }
        }
        catch (EpochFencedException)
        {
            // Another request has claimed the session meanwhile.
        }
        catch (TooManyPiecesException e)
        {
            await transfer.Request.RefuseAsync(RegistryError.TooManyPieces, detail: json => json.WriteNumber("limit", e.Pieces));
            return;
        }

        await completion.AnswerFencedAsync(transfer.Request, transfer.Id);
    }

    /// <summary>
    /// Writes the body under a claim and answers. Returns false, without an answer, if another request has claimed the session meanwhile.
    /// </summary>
    private async Task<bool> WriteAsync(Transfer transfer, UploadWriter writer)
    {
        try
        {
            return await ReceiveAsync(transfer, writer);
        }
        catch (BrokenBodyException)
        {
            // The bytes that arrived count: the client asks how many there are, and continues from there.
            await writer.AdvanceAsync();
            throw;
        }
        catch (Exception e) when (UploadWriters.IsOutOfSpace(e) && !writer.IsSealed)
        {
            await writers.DropAsync(transfer.Id, writer);
            throw;
        }
    }

    private static async Task<bool> ReceiveBodyAsync(Transfer transfer, UploadWriter writer) =>
        await writer.ReceiveAsync(transfer.Body, transfer.Space, transfer.Chunk.MaxBytes)
        && transfer.Chunk.IsAnnouncedLength(writer.Length - writer.Start);

    private async Task<bool> ReceiveAsync(Transfer transfer, UploadWriter writer)
    {
        // :: Step 2: receive the body.
        if (!await ReceiveBodyAsync(transfer, writer))
        {
            await writer.DiscardAsync();
            await transfer.Request.RefuseAsync(RegistryError.SizeInvalid);
            return true;
        }

        // :: Step 3: advance or seal.
        return transfer.Digest is { } digest
            ? await SealAsync(transfer, writer, digest)
            : await AdvanceAsync(transfer, writer);
    }

    private static async Task<bool> AdvanceAsync(Transfer transfer, UploadWriter writer)
    {
        if (!await writer.AdvanceAsync())
        {
            return false;
        }

        transfer.Request.Http.Response.ContentLength = 0;
        await UploadAnswers.ProgressAsync(transfer.Request, transfer.Id, writer.Length, StatusCodes.Status202Accepted);
        return true;
    }

    private async Task<bool> SealAsync(Transfer transfer, UploadWriter writer, Digest digest)
    {
        if (await writer.HashAsync(digest.Algorithm) is not { } actual)
        {
            // The storage lost bytes that it had written: the session cannot continue.
            await writers.DropAsync(transfer.Id, writer);
            await UploadAnswers.UnknownAsync(transfer.Request);
            return true;
        }

        if (actual != digest)
        {
            await writer.DiscardAsync();
            await transfer.Request.RefuseDigestAsync(digest, actual);
            return true;
        }

        if (await writer.SealAsync(digest) is not { } upload)
        {
            return false;
        }

        await completion.CompleteAsync(transfer.Request, transfer.Id, upload, writer);
        return true;
    }

    /// <summary>A body that is on its way into a session.</summary>
    /// <param name="Request">The request.</param>
    /// <param name="Id">The session.</param>
    /// <param name="Chunk">What the headers say about the bytes.</param>
    /// <param name="Digest">The digest under which the session is sealed; null if it stays open.</param>
    /// <param name="Body">The bytes.</param>
    /// <param name="Space">The disk space that they may use.</param>
    private sealed record Transfer(
        RegistryRequest Request,
        UploadId Id,
        UploadChunk Chunk,
        Digest? Digest,
        RequestBody Body,
        SpaceAllowance Space);
}
