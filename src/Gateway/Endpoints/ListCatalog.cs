using Granary.Gateway.Http;
using Granary.Grains.Interfaces.Catalog;

namespace Granary.Gateway.Endpoints;

/// <summary><c>GET /v2/_catalog</c>: lists the repositories (Docker Registry HTTP API V2, "Listing Repositories").</summary>
internal sealed class ListCatalog(IGrainFactory grains, GrainCalls calls) : IRegistryEndpoint
{
    public async Task HandleAsync(RegistryRequest request)
    {
        if (!Paging.TryParse(request.Query, out var paging))
        {
            await Paging.RefuseAsync(request);
            return;
        }

        var catalog = grains.GetGrain<ICatalogGrain>(0);
        var page = await calls.RepeatAsync(() => catalog.List(paging.After, paging.Limit, request.Aborted), request.Aborted);
        if (page.More)
        {
            request.Http.Response.Headers.Link = paging.NextLink(request.Locations.Catalog, page.Repositories[^1].Value);
        }

        await JsonResponse.WriteAsync(request, JsonResponse.ContentType, json =>
        {
            json.WriteStartObject();
            json.WriteStartArray("repositories");
            foreach (var repository in page.Repositories)
            {
                json.WriteStringValue(repository.Value);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        });
    }
}
