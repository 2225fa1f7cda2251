using Granary.Gateway.Http;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Options;

namespace Granary.Gateway.Endpoints;

/// <summary><c>DELETE /v2/&lt;name&gt;/blobs/&lt;digest&gt;</c>: unlinks a blob, unless manifests use it (end-10).</summary>
internal sealed class DeleteBlob(
    IGrainFactory grains,
    GrainCalls calls,
    RequestOrigin origins,
    IOptions<BlobOptions> options) : IRegistryEndpoint
{
    public async Task HandleAsync(RegistryRequest request)
    {
        if (!Digest.TryParse(request.Item, out var digest))
        {
            await request.RefuseAsync(RegistryError.DigestInvalid);
            return;
        }

        var repository = grains.GetGrain<IRepositoryGrain>(request.Repository.Value);
        var command = new RemoveBlob(digest, options.Value.DeleteInUse) { Origin = origins.Of(request.Http, ChangeCause.Delete) };
        var answer = await calls.SendAsync(command, attempt => repository.DeleteBlob(attempt, CancellationToken.None), request.Aborted);
        if (answer is BlobInUse { Manifests: var manifests })
        {
            request.Http.Response.Headers.Allow = "GET, HEAD";
            await request.RefuseAsync(RegistryError.BlobInUse, detail: json =>
            {
                json.WriteStartArray("manifests");
                foreach (var manifest in manifests)
                {
                    json.WriteStringValue(manifest.Value);
                }

                json.WriteEndArray();
            });
        }
        else if (answer is BlobDeleted)
        {
            request.Http.Response.StatusCode = StatusCodes.Status202Accepted;
            request.Http.Response.ContentLength = 0;
        }
        else
        {
            await request.RefuseAsync(RegistryError.BlobUnknown, detail: json => json.WriteString("digest", digest.Value));
        }
    }
}
