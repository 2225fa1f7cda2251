using Granary.Gateway.Http;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;

namespace Granary.Gateway.Endpoints;

/// <summary><c>GET /v2/&lt;name&gt;/tags/list</c>: lists the tags in ordinal order (end-8).</summary>
internal sealed class ListTags(IGrainFactory grains, GrainCalls calls) : IRegistryEndpoint
{
    public async Task HandleAsync(RegistryRequest request)
    {
        if (!Paging.TryParse(request.Query, out var paging))
        {
            await Paging.RefuseAsync(request);
            return;
        }

        var repository = grains.GetGrain<IRepositoryGrain>(request.Repository.Value);
        var listed = await calls.RepeatAsync(
            () => repository.ListTags(paging.After, paging.Limit, request.Aborted),
            request.Aborted);
        if (listed is not { } page)
        {
            await request.RefuseAsync(RegistryError.NameUnknown, detail: json => json.WriteString("name", request.Repository.Value));
            return;
        }

        if (page.More)
        {
            request.Http.Response.Headers.Link = paging.NextLink(request.Locations.Tags(request.Repository), page.Tags[^1].Value);
        }

        await JsonResponse.WriteAsync(request, JsonResponse.ContentType, json =>
        {
            json.WriteStartObject();
            json.WriteString("name", request.Repository.Value);
            json.WriteStartArray("tags");
            foreach (var tag in page.Tags)
            {
                json.WriteStringValue(tag.Value);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        });
    }
}
