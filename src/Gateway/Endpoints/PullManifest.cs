using Granary.Gateway.Http;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;

namespace Granary.Gateway.Endpoints;

/// <summary><c>GET</c> and <c>HEAD /v2/&lt;name&gt;/manifests/&lt;reference&gt;</c>: the bytes exactly as pushed (end-3).</summary>
internal sealed class PullManifest(IGrainFactory grains) : IRegistryEndpoint
{
    /// <summary>What a text is that names no manifest: with a colon it was meant as a digest; else it is a tag that nothing can have.</summary>
    public static RegistryError NoReference(string text) =>
        text.Contains(':', StringComparison.Ordinal) ? RegistryError.DigestInvalid : RegistryError.ManifestUnknown;

    public async Task HandleAsync(RegistryRequest request)
    {
        if (!Reference.TryParse(request.Item, out var reference))
        {
            await request.RefuseAsync(NoReference(request.Item));
            return;
        }

        var repository = grains.GetGrain<IRepositoryGrain>(request.Repository.Value);
        if (await FindAsync(request, repository, reference) is not { } found)
        {
            await request.RefuseAsync(RegistryError.ManifestUnknown, detail: new { reference = reference.ToString() });
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
            await response.Body.WriteAsync(found.Body, request.Aborted);
        }
    }

    private static async Task<FoundManifest?> FindAsync(RegistryRequest request, IRepositoryGrain repository, Reference reference)
    {
        var withBody = !request.IsHead;
        if (reference is Reference.ByDigest { Digest: var digest })
        {
            return await GrainCalls.RetryOnceAsync(() => repository.FindManifest(digest, withBody, CancellationToken.None));
        }

        var tag = ((Reference.ByTag)reference).Tag;
        var found = await GrainCalls.RetryOnceAsync(() => repository.FindTagged(tag, withBody, CancellationToken.None));
        return found?.MediaType == MediaTypes.DockerManifestList && AcceptedTypes.Parse(request.Http.Request.Headers.Accept).WantsChildOfManifestList
            ? await FindDefaultChildAsync(repository, found, withBody) ?? found
            : found;
    }

    /// <summary>The linux/amd64 child of a manifest list, for clients that are older than manifest lists; null if there is none here.</summary>
    private static async Task<FoundManifest?> FindDefaultChildAsync(IRepositoryGrain repository, FoundManifest list, bool withBody)
    {
        var body = list.Body ?? (await GrainCalls.RetryOnceAsync(() => repository.FindManifest(list.Digest, withBody: true, CancellationToken.None)))?.Body;
        if (body is null || !Manifest.TryParse(body, list.MediaType, out var manifest, out _))
        {
            return null;
        }

        var child = manifest.Manifests.FirstOrDefault(descriptor => descriptor.Platform is { Os: "linux", Architecture: "amd64" });
        return child is null ? null : await GrainCalls.RetryOnceAsync(() => repository.FindManifest(child.Digest, withBody, CancellationToken.None));
    }
}
