using Granary.Gateway.Http;
using Granary.Gateway.Transfer;
using Granary.Gateway.Uploads;
using Granary.Grains.Interfaces.Uploads;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Endpoints;

/// <summary>
/// <c>PATCH &lt;location&gt;</c>: appends bytes to an upload, as a chunk with a range or as a stream without one (end-5).
/// </summary>
internal sealed class AppendUpload(UploadSessions sessions, UploadReceiver receiver) : IRegistryEndpoint
{
    public async Task HandleAsync(RegistryRequest request)
    {
        if (await sessions.VerifyAsync(request.Repository, request.Item) is not { } id)
        {
            await UploadAnswers.UnknownAsync(request);
            return;
        }

        if (!UploadChunk.TryParse(request.Http, out var chunk, out var error))
        {
            await request.RefuseAsync(error);
            return;
        }

        // An id that is too old must not begin a session, and a request without a body need not begin one.
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

        await receiver.AppendAsync(request, id, chunk);
    }
}
