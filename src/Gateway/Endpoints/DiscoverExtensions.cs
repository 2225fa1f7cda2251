using Granary.Gateway.Http;

namespace Granary.Gateway.Endpoints;

/// <summary>
/// <c>GET /v2/_oci/ext/discover</c>, also below a repository: lists what this registry supports beyond the specification (OCI distribution
/// extensions, <c>_oci</c>).
/// </summary>
internal sealed class DiscoverExtensions : IRegistryEndpoint
{
    private const string ExtensionUrl = "https://github.com/opencontainers/distribution-spec/blob/main/extensions/_oci.md";
    private const string CatalogUrl =
        "https://github.com/distribution/distribution/blob/main/docs/content/spec/api.md#listing-repositories";

    public Task HandleAsync(RegistryRequest request) => JsonResponse.WriteAsync(request, JsonResponse.ContentType, json =>
    {
        json.WriteStartObject();
        json.WriteStartArray("extensions");
        Write("_oci", ExtensionUrl, "Lists the extensions of this registry.", "_oci/ext/discover");
        if (request.Repository == default)
        {
            Write("_catalog", CatalogUrl, "Lists the repositories of this registry.", "_catalog");
        }

        json.WriteEndArray();
        json.WriteEndObject();

        void Write(string name, string url, string description, string endpoint)
        {
            json.WriteStartObject();
            json.WriteString("name", name);
            json.WriteString("url", url);
            json.WriteString("description", description);
            json.WriteStartArray("endpoints");
            json.WriteStringValue(endpoint);
            json.WriteEndArray();
            json.WriteEndObject();
        }
    });
}
