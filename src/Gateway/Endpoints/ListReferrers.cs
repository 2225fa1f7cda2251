using System.Text.Json;
using Granary.Gateway.Http;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;

namespace Granary.Gateway.Endpoints;

/// <summary>
/// <c>GET /v2/&lt;name&gt;/referrers/&lt;digest&gt;</c>: lists the manifests whose subject is the digest (end-12). The list has every
/// manifest that was pushed with this subject, so the index that some clients keep under the fallback tag adds nothing.
/// </summary>
internal sealed class ListReferrers(IGrainFactory grains, GrainCalls calls) : IRegistryEndpoint
{
    public async Task HandleAsync(RegistryRequest request)
    {
        if (!Digest.TryParse(request.Item, out var subject))
        {
            await request.RefuseAsync(RegistryError.DigestInvalid);
            return;
        }

        var query = request.Query;
        var artifactType = query["artifactType"] is { Length: > 0 } type ? type : null;
        Digest? after = Digest.TryParse(query["last"], out var last) ? last : null;
        var repository = grains.GetGrain<IRepositoryGrain>(request.Repository.Value);
        var found = await calls.RepeatAsync(() => repository.ListReferrers(subject, artifactType, after, request.Aborted), request.Aborted);
        var page = ReferrerPageLimit.Cut(found);

        var headers = request.Http.Response.Headers;
        if (artifactType is not null)
        {
            headers["OCI-Filters-Applied"] = "artifactType";
        }

        if (page.More)
        {
            var filter = artifactType is null ? "" : $"&artifactType={Uri.EscapeDataString(artifactType)}";
            var next = Uri.EscapeDataString(page.Referrers[^1].Digest.Value);
            headers.Link = $"<{request.Locations.Referrers(request.Repository, subject)}?last={next}{filter}>; rel=\"next\"";
        }

        await JsonResponse.WriteAsync(request, MediaTypes.OciIndex, json =>
        {
            json.WriteStartObject();
            json.WriteNumber("schemaVersion", 2);
            json.WriteString("mediaType", MediaTypes.OciIndex);
            json.WriteStartArray("manifests");
            foreach (var referrer in page.Referrers)
            {
                Write(json, referrer);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        });
    }

    private static void Write(Utf8JsonWriter json, Referrer referrer)
    {
        json.WriteStartObject();
        json.WriteString("mediaType", referrer.MediaType);
        json.WriteString("digest", referrer.Digest.Value);
        json.WriteNumber("size", referrer.Size);
        if (referrer.ArtifactType is not null)
        {
            json.WriteString("artifactType", referrer.ArtifactType);
        }

        if (referrer.Annotations.Count > 0)
        {
            json.WriteStartObject("annotations");
            foreach (var (key, value) in referrer.Annotations)
            {
                json.WriteString(key, value);
            }

            json.WriteEndObject();
        }

        json.WriteEndObject();
    }
}
