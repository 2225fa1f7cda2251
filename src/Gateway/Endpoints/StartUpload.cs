using Granary.Gateway.Http;
using Granary.Gateway.Uploads;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Protocol;
using Granary.Storage.Space;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Endpoints;

/// <summary>
/// <c>POST /v2/&lt;name&gt;/blobs/uploads/</c>: a new session (end-4a, end-4c), a blob in one request (end-4b), or a mount (end-11).
/// </summary>
internal sealed class StartUpload(
    IGrainFactory grains,
    RepositoryReader repositories,
    UploadSessions sessions,
    UploadWriters tails,
    BlobPush push,
    IFreeSpace freeSpace) : IRegistryEndpoint
{
    // Repositories that are asked whether they (still) hold a blob that shall be mounted from anywhere.
    private const int MaxMountSources = 8;

    public async Task HandleAsync(RegistryRequest request)
    {
        var query = request.Query;
        var (mount, digest, algorithmName) = (query["mount"], query["digest"], query["digest-algorithm"]);
        if (!TryParse(mount, out var mounted) || !TryParse(digest, out var pushed) || !TryParseAlgorithm(algorithmName, out var algorithm))
        {
            await request.RefuseAsync(RegistryError.DigestInvalid);
            return;
        }

        if (mounted is { } wanted && await MountAsync(request, wanted, query["from"]))
        {
            await UploadAnswers.CreatedAsync(request, wanted);
            return;
        }

        var id = await sessions.IssueAsync(request.Repository, pushed?.Algorithm ?? mounted?.Algorithm ?? algorithm);
        if (pushed is not { } whole)
        {
            request.Http.Response.ContentLength = 0;
            await UploadAnswers.ProgressAsync(request, id, offset: 0, StatusCodes.Status202Accepted);
            return;
        }

        if (UploadChunk.TryParse(request.Http, out var chunk) is { } error)
        {
            await request.RefuseAsync(error);
            return;
        }

        try
        {
            await push.PushWholeAsync(request, id, whole, chunk);
        }
        finally
        {
            if (request.Http.Response.StatusCode != StatusCodes.Status201Created && await IsStoredAsync(id))
            {
                // Nobody knows the session but this request.
                await tails.CancelAsync(id);
            }
        }
    }

    private async Task<bool> IsStoredAsync(UploadId id) => await sessions.FindAsync(id, CancellationToken.None) is Grains.Interfaces.Uploads.UploadOpen;

    /// <summary>Makes a blob of another repository a blob of this one; false if there is none to be had.</summary>
    private async Task<bool> MountAsync(RegistryRequest request, Digest digest, string? from)
    {
        if (!await IsMountableAsync(request, digest, from))
        {
            return false;
        }

        using var space = freeSpace.Allow(0);
        var target = grains.GetGrain<IRepositoryGrain>(request.Repository.Value);
        return await GrainCalls.RetryOnceAsync(() => target.MountBlob(digest, CancellationToken.None)) == LinkAnswer.Linked;
    }

    /// <summary>Whether a repository holds the blob: the one that the client names and no other, or if it names none, any.</summary>
    private async Task<bool> IsMountableAsync(RegistryRequest request, Digest digest, string? from)
    {
        if (from is not null)
        {
            return RepositoryName.TryParse(from, out var named) && await HoldsAsync(named, digest);
        }

        var shard = grains.GetGrain<IBlobShardGrain>(digest.FirstByte);
        foreach (var candidate in await GrainCalls.RetryOnceAsync(() => shard.FindRepositories(digest, after: null, MaxMountSources, request.Aborted)))
        {
            if (await HoldsAsync(candidate, digest))
            {
                return true;
            }
        }

        return false;
    }

    private async Task<bool> HoldsAsync(RepositoryName repository, Digest digest) => await repositories.FindBlobSizeAsync(repository, digest) is not null;

    /// <summary>Null for a parameter that is not there; false for one that is not a digest.</summary>
    private static bool TryParse(string? text, out Digest? digest)
    {
        digest = Digest.TryParse(text, out var parsed) ? parsed : null;
        return text is null || digest is not null;
    }

    private static bool TryParseAlgorithm(string? name, out DigestAlgorithm algorithm)
    {
        algorithm = name == "sha512" ? DigestAlgorithm.Sha512 : DigestAlgorithm.Sha256;
        return name is null or "sha256" or "sha512";
    }
}
