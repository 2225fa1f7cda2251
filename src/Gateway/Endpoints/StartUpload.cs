using Granary.Gateway.Http;
using Granary.Gateway.Uploads;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Interfaces.Uploads;
using Granary.Protocol;
using Granary.Storage.Space;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Endpoints;

/// <summary>
/// <c>POST /v2/&lt;name&gt;/blobs/uploads/</c>: issues a session (end-4a, end-4c), receives a blob in one request (end-4b), or mounts a
/// blob (end-11).
/// </summary>
internal sealed class StartUpload(
    IGrainFactory grains,
    GrainCalls calls,
    RepositoryReader repositories,
    UploadSessions sessions,
    UploadWriters writers,
    UploadReceiver receiver,
    RequestOrigin origins,
    IFreeSpace freeSpace) : IRegistryEndpoint
{
    // How many repositories are asked for a blob that the client mounts without naming its source.
    private const int MaxMountSources = 8;

    public async Task HandleAsync(RegistryRequest request)
    {
        var query = request.Query;
        if (!TryParseDigest(query["mount"], out var mounted)
            || !TryParseDigest(query["digest"], out var pushed)
            || !TryParseAlgorithm(query["digest-algorithm"], out var algorithm))
        {
            await request.RefuseAsync(RegistryError.DigestInvalid);
            return;
        }

        if (mounted is { } wanted && await TryMountAsync(request, wanted, query["from"]))
        {
            await UploadAnswers.CreatedAsync(request, wanted);
            return;
        }

        var id = await sessions.IssueAsync(request.Repository, pushed?.Algorithm ?? mounted?.Algorithm ?? algorithm);
        if (pushed is { } digest)
        {
            await PushAsync(request, id, digest);
            return;
        }

        request.Http.Response.ContentLength = 0;
        await UploadAnswers.ProgressAsync(request, id, offset: 0, StatusCodes.Status202Accepted);
    }

    private async Task PushAsync(RegistryRequest request, UploadId id, Digest digest)
    {
        if (!UploadChunk.TryParse(request.Http, out var chunk, out var error))
        {
            await request.RefuseAsync(error);
            return;
        }

        try
        {
            await receiver.PushAsync(request, id, chunk, digest);
        }
        finally
        {
            if (request.Http.Response.StatusCode != StatusCodes.Status201Created && await IsStoredAsync(id))
            {
                // The client does not learn the session's id, so that no request can continue it.
                await writers.CancelAsync(id);
            }
        }
    }

    private async Task<bool> IsStoredAsync(UploadId id) => await sessions.FindAsync(id, CancellationToken.None) is UploadOpen;

    /// <summary>Links a blob of another repository. Returns false if no repository that may be its source has it.</summary>
    private async Task<bool> TryMountAsync(RegistryRequest request, Digest digest, string? from)
    {
        if (!await HasSourceAsync(request, digest, from))
        {
            return false;
        }

        using var space = freeSpace.Allow(0);
        var target = grains.GetGrain<IRepositoryGrain>(request.Repository.Value);
        var command = new MountBlob(digest) { Origin = origins.Of(request.Http, ChangeCause.Push) };
        var answer = await calls.SendAsync(command, attempt => target.MountBlob(attempt, CancellationToken.None), request.Aborted);
        return answer == LinkAnswer.Linked;
    }

    /// <summary>
    /// Returns whether a repository has the blob. If the client names the source, only that repository is asked; otherwise any may be it.
    /// </summary>
    private async Task<bool> HasSourceAsync(RegistryRequest request, Digest digest, string? from)
    {
        if (from is not null)
        {
            return RepositoryName.TryParse(from, out var named) && await HasBlobAsync(named, digest, request.Aborted);
        }

        var shard = grains.GetGrain<IBlobShardGrain>(digest.FirstByte);
        var candidates = await calls.RepeatAsync(
            () => shard.FindRepositories(digest, after: null, MaxMountSources, request.Aborted),
            request.Aborted);
        foreach (var candidate in candidates)
        {
            if (await HasBlobAsync(candidate, digest, request.Aborted))
            {
                return true;
            }
        }

        return false;
    }

    private async Task<bool> HasBlobAsync(RepositoryName repository, Digest digest, CancellationToken aborted) =>
        await repositories.FindBlobSizeAsync(repository, digest, aborted) is not null;

    /// <summary>Reads an optional parameter: null if it is absent. Returns false if it is not a digest.</summary>
    private static bool TryParseDigest(string? text, out Digest? digest)
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
