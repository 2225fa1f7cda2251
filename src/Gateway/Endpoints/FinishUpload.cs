using Granary.Gateway.Http;
using Granary.Gateway.Uploads;
using Granary.Grains.Interfaces.Uploads;
using Granary.Protocol;

namespace Granary.Gateway.Endpoints;

/// <summary><c>PUT &lt;location&gt;?digest=</c>: the end of an upload, with or without the last bytes (end-6).</summary>
internal sealed class FinishUpload(UploadSessions sessions, BlobPush push) : IRegistryEndpoint
{
    public async Task HandleAsync(RegistryRequest request)
    {
        if (await sessions.RecognizeAsync(request.Repository, request.Item) is not { } id)
        {
            await UploadAnswers.UnknownAsync(request);
            return;
        }

        if (!Digest.TryParse(request.Query["digest"], out var digest))
        {
            await request.RefuseAsync(RegistryError.DigestInvalid);
            return;
        }

        if (UploadChunk.TryParse(request.Http, out var chunk) is { } error)
        {
            await request.RefuseAsync(error);
            return;
        }

        switch (await sessions.FindAsync(id, request.Aborted))
        {
            case UploadUnstored:
                await push.PushWholeAsync(request, id, digest, chunk);
                break;

            case UploadOpen session:
                await push.FinishAsync(request, id, digest, session, chunk);
                break;

            case SealedUpload upload when upload.Digest == digest:
                await push.ConcludeAsync(request, id, upload);
                break;

            default:
                await UploadAnswers.UnknownAsync(request);
                break;
        }
    }
}
