using Granary.Gateway.Http;
using Granary.Gateway.Transfer;
using Granary.Gateway.Uploads;
using Granary.Grains.Interfaces.Uploads;
using Granary.Protocol;
using Granary.Storage.Blobs;
using Granary.Storage.Space;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace Granary.Gateway.Endpoints;

/// <summary><c>PATCH &lt;location&gt;</c>: the next bytes, as a chunk with its range or as a stream without (end-5).</summary>
internal sealed class AppendUpload(UploadSessions sessions, UploadWriters tails, IOptions<UploadOptions> options, TimeProvider time) : IRegistryEndpoint
{
    public async Task HandleAsync(RegistryRequest request)
    {
        if (await sessions.RecognizeAsync(request.Repository, request.Item) is not { } id)
        {
            await UploadAnswers.UnknownAsync(request);
            return;
        }

        if (UploadChunk.TryParse(request.Http, out var chunk) is { } error)
        {
            await request.RefuseAsync(error);
            return;
        }

        // A session that was never stored must not begin when its id is too old; one without a byte need not begin at all.
        var isEmpty = RequestBody.IsAbsent(request.Http);
        if (isEmpty || sessions.IsExpired(id))
        {
            var status = await sessions.FindAsync(id, request.Aborted);
            if (status is not (UploadOpen or UploadUnstored))
            {
                await UploadAnswers.UnknownAsync(request);
                return;
            }

            if (isEmpty)
            {
                request.Http.Response.ContentLength = 0;
                await UploadAnswers.ProgressAsync(request, id, (status as UploadOpen)?.Offset ?? 0, StatusCodes.Status202Accepted);
                return;
            }
        }

        // Before the session is stored: what is refused must not take room itself.
        using var space = await tails.AllowAsync(id, chunk);
        switch (await tails.OpenWriterAsync(id, chunk.Offset))
        {
            case ClaimAnswer.Elsewhere elsewhere:
                await UploadAnswers.OutOfOrderAsync(request, id, elsewhere.Offset);
                break;

            case ClaimAnswer.Held { Tail: var tail }:
                await using (tail)
                {
                    await AppendAsync(request, id, chunk, space, tail);
                }

                break;

            default:
                await UploadAnswers.UnknownAsync(request);
                break;
        }
    }

    private async Task AppendAsync(RegistryRequest request, UploadId id, UploadChunk chunk, SpaceAllowance space, UploadWriter tail)
    {
        using var body = new RequestBody(request.Http, options.Value.IdleTimeout, time);
        try
        {
            if (!await tail.ReceiveAsync(body, space, chunk.MaxBytes)
                || (chunk.Length is { } announced && tail.Length - tail.Start != announced))
            {
                await tail.LetGoAsync();
                await request.RefuseAsync(RegistryError.SizeInvalid);
                return;
            }

            if (await tail.AdvanceAsync())
            {
                request.Http.Response.ContentLength = 0;
                await UploadAnswers.ProgressAsync(request, id, tail.Length, StatusCodes.Status202Accepted);
                return;
            }
        }
        catch (BrokenBodyException)
        {
            // What arrived is kept; the client asks how much, and goes on.
            await tail.AdvanceAsync();
            throw;
        }
        catch (EpochFencedException)
        {
            // Another request went on with the session.
        }
        catch (Exception e) when (UploadWriters.IsForWantOfRoom(e))
        {
            await tails.DropAsync(id, tail);
            throw;
        }

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
