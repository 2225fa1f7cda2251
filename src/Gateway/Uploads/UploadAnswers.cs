using Granary.Gateway.Http;
using Granary.Protocol;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Uploads;

/// <summary>The answers about upload sessions that several operations give.</summary>
internal static class UploadAnswers
{
    /// <summary>
    /// Answers how many bytes the session has. Docker's client rejects a range that ends before its start, so an empty session is
    /// <c>0-0</c>, like a session of one byte.
    /// </summary>
    public static Task ProgressAsync(RegistryRequest request, UploadId id, long offset, int status)
    {
        SetProgress(request, id, offset);
        request.Http.Response.StatusCode = status;
        return Task.CompletedTask;
    }

    /// <summary>Refuses bytes that do not start at the session's offset, and says where it is.</summary>
    public static Task OutOfOrderAsync(RegistryRequest request, UploadId id, long offset)
    {
        SetProgress(request, id, offset);
        return request.RefuseAsync(RegistryError.UploadOutOfOrder, detail: json => json.WriteNumber("received", offset));
    }

    /// <summary>Answers that the session is unknown or over.</summary>
    public static Task UnknownAsync(RegistryRequest request) => request.RefuseAsync(RegistryError.BlobUploadUnknown);

    /// <summary>Answers that the repository has the blob.</summary>
    public static Task CreatedAsync(RegistryRequest request, Digest digest)
    {
        var response = request.Http.Response;
        response.StatusCode = StatusCodes.Status201Created;
        response.Headers.Location = request.Locations.Blob(request.Repository, digest);
        response.Headers[ContentHeaders.DockerContentDigest] = digest.Value;
        response.ContentLength = 0;
        return Task.CompletedTask;
    }

    private static void SetProgress(RegistryRequest request, UploadId id, long offset)
    {
        var headers = request.Http.Response.Headers;
        headers.Location = request.Locations.Upload(request.Repository, id);
        if (request.Locations.IsAbsolute)
        {
            // Clients that cannot resolve a relative Location look for this header first.
            headers["Docker-Upload-Location"] = headers.Location;
        }

        headers["Docker-Upload-UUID"] = id.Text;
        headers.Range = $"0-{Math.Max(offset - 1, 0)}";
    }
}
