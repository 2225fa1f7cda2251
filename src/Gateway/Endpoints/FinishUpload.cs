using Granary.Gateway.Http;
using Granary.Gateway.Transfer;
using Granary.Gateway.Uploads;
using Granary.Grains.Interfaces.Uploads;
using Granary.Protocol;

namespace Granary.Gateway.Endpoints;

/// <summary><c>PUT &lt;location&gt;?digest=</c>: completes an upload, with or without the last bytes (end-6).</summary>
internal sealed class FinishUpload(UploadSessions sessions, UploadReceiver receiver, UploadCompletion completion) : IRegistryEndpoint
{
    public async Task HandleAsync(RegistryRequest request)
    {
        if (await sessions.VerifyAsync(request.Repository, request.Item) is not { } id)
        {
            await UploadAnswers.UnknownAsync(request);
            return;
        }

        if (!Digest.TryParse(request.Query["digest"], out var digest))
        {
            await request.RefuseAsync(RegistryError.DigestInvalid);
            return;
        }

        if (!UploadChunk.TryParse(request.Http, out var chunk, out var error))
        {
            await request.RefuseAsync(error);
            return;
        }

        await (await sessions.FindAsync(id, request.Aborted) switch
        {
            UploadUnstored => receiver.PushAsync(request, id, chunk, digest),
            UploadOpen session => FinishAsync(request, id, session, chunk, digest),
            SealedUpload upload when upload.Digest == digest => completion.CompleteAsync(request, id, upload),
            _ => UploadAnswers.UnknownAsync(request),
        });
    }

    private Task FinishAsync(RegistryRequest request, UploadId id, UploadOpen session, UploadChunk chunk, Digest digest)
    {
        if (chunk.Offset is { } offset && offset != session.Offset)
        {
            return UploadAnswers.OutOfOrderAsync(request, id, session.Offset);
        }

        return RequestBody.IsAbsent(request.Http) && completion.NeedsNoClaim(session, digest)
            ? completion.CompleteAsync(request, id, session, digest)
            : receiver.FinishAsync(request, id, chunk, digest);
    }
}
