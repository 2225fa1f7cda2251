using Granary.Gateway.Http;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Endpoints;

/// <summary>
/// <c>DELETE /v2/&lt;name&gt;/manifests/&lt;reference&gt;</c>: deletes a tag alone, or the manifest of a digest with all its tags (end-9).
/// </summary>
internal sealed class DeleteManifest(IGrainFactory grains, GrainCalls calls, RequestOrigin origins) : IRegistryEndpoint
{
    public async Task HandleAsync(RegistryRequest request)
    {
        if (!Reference.TryParse(request.Item, out var reference))
        {
            await request.RefuseAsync(PullManifest.InvalidReference(request.Item));
            return;
        }

        var repository = grains.GetGrain<IRepositoryGrain>(request.Repository.Value);
        var origin = origins.Of(request.Http, ChangeCause.Delete);
        var removed = reference switch
        {
            Reference.ByTag { Tag: var tag } => await calls.SendAsync(
                new RemoveTag(tag) { Origin = origin },
                attempt => repository.Untag(attempt, CancellationToken.None),
                request.Aborted),
            Reference.ByDigest { Digest: var digest } => await calls.SendAsync(
                new RemoveManifest(digest) { Origin = origin },
                attempt => repository.DeleteManifest(attempt, CancellationToken.None),
                request.Aborted),
            _ => throw new InvalidOperationException($"{reference} is no reference."),
        };
        if (!removed)
        {
            await request.RefuseAsync(RegistryError.ManifestUnknown, detail: json => json.WriteString("reference", reference.ToString()));
            return;
        }

        request.Http.Response.StatusCode = StatusCodes.Status202Accepted;
        request.Http.Response.ContentLength = 0;
    }
}
