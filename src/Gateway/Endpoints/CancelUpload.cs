using Granary.Gateway.Http;
using Granary.Gateway.Uploads;
using Granary.Grains.Interfaces.Uploads;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Endpoints;

/// <summary><c>DELETE &lt;location&gt;</c>: cancels an upload (end-14).</summary>
internal sealed class CancelUpload(UploadSessions sessions, UploadWriters writers) : IRegistryEndpoint
{
    public async Task HandleAsync(RegistryRequest request)
    {
        if (await sessions.VerifyAsync(request.Repository, request.Item) is { } id
            && await sessions.FindAsync(id, request.Aborted) is UploadOpen or UploadUnstored
            && await writers.CancelAsync(id))
        {
            request.Http.Response.StatusCode = StatusCodes.Status204NoContent;
            return;
        }

        await UploadAnswers.UnknownAsync(request);
    }
}
