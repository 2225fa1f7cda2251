using Granary.Gateway.Http;
using Granary.Gateway.Transfer;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;

namespace Granary.Gateway.Endpoints;

/// <summary>
/// <c>GET</c> and <c>HEAD /v2/&lt;name&gt;/manifests/&lt;reference&gt;</c>: returns a manifest byte for byte as it was pushed (end-3).
/// </summary>
internal sealed class PullManifest(RepositoryReader repositories) : IRegistryEndpoint
{
    /// <summary>
    /// Returns the error for a text that is not a reference. A text with a colon was meant as a digest. Any other one is a tag that no
    /// manifest can have.
    /// </summary>
    public static RegistryError InvalidReference(string text) =>
        text.Contains(':', StringComparison.Ordinal) ? RegistryError.DigestInvalid : RegistryError.ManifestUnknown;

    public async Task HandleAsync(RegistryRequest request)
    {
        if (!Reference.TryParse(request.Item, out var reference))
        {
            await request.RefuseAsync(InvalidReference(request.Item));
            return;
        }

        if (await FindAsync(request, reference) is not { } found)
        {
            await request.RefuseAsync(RegistryError.ManifestUnknown, detail: json => json.WriteString("reference", reference.ToString()));
            return;
        }

        var response = request.Http.Response;
        ContentHeaders.SetDigest(request.Http, found.Digest);
        response.Headers.Vary = "Accept";
        if (ContentHeaders.IsNotModified(request.Http, found.Digest))
        {
            return;
        }

        response.ContentType = found.MediaType;
        response.ContentLength = found.Size;
        if (!request.IsHead)
        {
            await AnswerBody.SendAsync(request.Http, found.Body);
        }
    }

    private async Task<FoundManifest?> FindAsync(RegistryRequest request, Reference reference)
    {
        var withBody = !request.IsHead;
        if (reference is Reference.ByDigest { Digest: var digest })
        {
            return await repositories.FindManifestAsync(request.Repository, digest, withBody, request.Aborted);
        }

        var tag = ((Reference.ByTag)reference).Tag;
        var found = await repositories.FindTaggedAsync(request.Repository, tag, withBody, request.Aborted);
        return found?.MediaType == MediaTypes.DockerManifestList
            && AcceptedTypes.Parse(request.Http.Request.Headers.Accept).WantsChildOfManifestList
            ? await FindDefaultChildAsync(request, found, withBody) ?? found
            : found;
    }

    /// <summary>
    /// Returns the linux/amd64 child of a manifest list, for clients that are older than manifest lists. Returns null if the repository has
    /// none.
    /// </summary>
    private async Task<FoundManifest?> FindDefaultChildAsync(RegistryRequest request, FoundManifest list, bool withBody)
    {
        var (repository, aborted) = (request.Repository, request.Aborted);
        var body = list.Body ?? (await repositories.FindManifestAsync(repository, list.Digest, withBody: true, aborted))?.Body;
        if (body is null || !Manifest.TryParse(body, list.MediaType, out var manifest, out _))
        {
            return null;
        }

        var child = manifest.Manifests.FirstOrDefault(descriptor => descriptor.Platform is { Os: "linux", Architecture: "amd64" });
        return child is null ? null : await repositories.FindManifestAsync(repository, child.Digest, withBody, aborted);
    }
}
