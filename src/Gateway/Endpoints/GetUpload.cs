using Granary.Gateway.Http;
using Granary.Gateway.Uploads;
using Granary.Grains.Interfaces.Uploads;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Endpoints;

/// <summary><c>GET &lt;location&gt;</c>: answers how many bytes an upload has (end-13).</summary>
internal sealed class GetUpload(UploadSessions sessions) : IRegistryEndpoint
{
    public async Task HandleAsync(RegistryRequest request)
    {
        var status = await sessions.VerifyAsync(request.Repository, request.Item) is { } id
            ? (Id: id, Status: await sessions.FindAsync(id, request.Aborted))
            : default;
        await (status.Status switch
        {
            UploadUnstored => UploadAnswers.ProgressAsync(request, status.Id, offset: 0, StatusCodes.Status204NoContent),
            UploadOpen { Offset: var offset } => UploadAnswers.ProgressAsync(request, status.Id, offset, StatusCodes.Status204NoContent),
            _ => UploadAnswers.UnknownAsync(request),
        });
    }
}
