using Granary.Gateway.Http;
using Granary.Gateway.Transfer;

namespace Granary.Gateway.Endpoints;

/// <summary><c>GET /v2/</c>: answers that this is a registry (end-1).</summary>
internal sealed class CheckApi : IRegistryEndpoint
{
    private static readonly byte[] Body = "{}"u8.ToArray();

    public Task HandleAsync(RegistryRequest request)
    {
        request.Http.Response.ContentType = JsonResponse.ContentType;
        request.Http.Response.ContentLength = Body.Length;
        return AnswerBody.SendAsync(request.Http, Body);
    }
}
