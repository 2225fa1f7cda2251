using System.Text.Json;
using Granary.Gateway.Http;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Admin;

/// <summary>The part of the administration's API that explains why content is kept, or when it is deleted.</summary>
internal sealed class ExplainApi(IGrainFactory grains, RepositoryReader repositories)
{
    public async Task ExplainAsync(HttpContext http)
    {
        // digest is the former name of the parameter reference.
        var query = http.Request.Query;
        if (!RepositoryName.TryParse(query["repository"].ToString(), out var repository)
            || !Reference.TryParse(query["reference"] is [{ } text] ? text : query["digest"].ToString(), out var reference))
        {
            await AdminAnswers.RefuseAsync(
                http,
                "repository has to be a repository's name, such as library/app, and reference a tag or a digest (sha256: or sha512: and " +
                "its hexadecimal digits).");
            return;
        }

        if (await FindDigestAsync(repository, reference, http.RequestAborted) is not { } digest)
        {
            await ErrorResponse.WriteAsync(http, RegistryError.ManifestUnknown, $"Unknown: {repository} has no tag {reference}.");
            return;
        }

        var here = await grains.GetGrain<IRepositoryMaintenanceGrain>(repository.Value).Explain(digest, http.RequestAborted);
        var blob = await grains.GetGrain<IBlobShardGrain>(digest.FirstByte).Find(digest, http.RequestAborted);
        var isKnown = here.Pushed is not null || here.BlobSize is not null;
        var explanation = new Explanation(repository, digest, isKnown, here, blob, ExplanationText.Of(repository, digest, here, blob));
        await AdminAnswers.WriteAsync(http, JsonSerializer.SerializeToUtf8Bytes(explanation, ExplanationJson.Options));
    }

    private async ValueTask<Digest?> FindDigestAsync(RepositoryName repository, Reference reference, CancellationToken aborted)
    {
        return reference switch
        {
            Reference.ByDigest { Digest: var digest } => digest,
            Reference.ByTag { Tag: var tag } => (await repositories.FindTaggedAsync(repository, tag, withBody: false, aborted))?.Digest,
            _ => null,
        };
    }
}
