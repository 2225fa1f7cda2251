using Granary.Gateway.Http;
using Granary.Gateway.Transfer;
using Granary.Grains.Interfaces.Blobs;
using Granary.Protocol;
using Granary.Storage.Blobs;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Primitives;

namespace Granary.Gateway.Endpoints;

/// <summary><c>GET</c> and <c>HEAD /v2/&lt;name&gt;/blobs/&lt;digest&gt;</c>: returns a blob, or ranges of it (end-2).</summary>
internal sealed partial class PullBlob(
    RepositoryReader repositories,
    IBlobStore store,
    DownloadRedirects redirects,
    ILogger<PullBlob> logger) : IRegistryEndpoint
{
    // The content of a digest never changes.
    private const string Immutable = "max-age=31536000, immutable";

    public async Task HandleAsync(RegistryRequest request)
    {
        if (!Digest.TryParse(request.Item, out var digest))
        {
            await request.RefuseAsync(RegistryError.DigestInvalid);
            return;
        }

        if (request.IsHead)
        {
            await DescribeAsync(request, digest);
            return;
        }

        if (await TryRedirectAsync(request, digest))
        {
            return;
        }

        await using var source = await OpenAsync(request, digest);
        if (source is null)
        {
            await UnknownAsync(request, digest);
            return;
        }

        SetHeaders(request.Http, digest);
        if (!ContentHeaders.IsNotModified(request.Http, digest))
        {
            await SendAsync(request, source, digest);
        }
    }

    private async Task DescribeAsync(RegistryRequest request, Digest digest)
    {
        if (await repositories.FindBlobSizeAsync(request.Repository, digest, request.Aborted) is not { } size)
        {
            await UnknownAsync(request, digest);
            return;
        }

        SetHeaders(request.Http, digest);
        if (!ContentHeaders.IsNotModified(request.Http, digest))
        {
            request.Http.Response.ContentLength = size;
        }
    }

    /// <summary>
    /// Redirects the client to the store for a layer or one range of it. Several ranges, conditions, and what cannot be satisfied stay
    /// here: the store would answer otherwise.
    /// </summary>
    private async ValueTask<bool> TryRedirectAsync(RegistryRequest request, Digest digest)
    {
        var headers = request.Http.Request.Headers;
        if (!redirects.IsOn
            || !StringValues.IsNullOrEmpty(headers.IfNoneMatch)
            || !StringValues.IsNullOrEmpty(headers.IfRange)
            || await repositories.FindBlobAsync(request.Repository, digest, request.Aborted) is not ObjectContent content
            || !DownloadRedirects.IsWorthIt(content.Size)
            || FindRanges(request, digest, content.Size) is not (null or [_])
            || await redirects.FindAsync(content.Object, digest, request.Aborted) is not { } url)
        {
            return false;
        }

        // Without Cache-Control: the URL ends after some minutes.
        var response = request.Http.Response;
        response.StatusCode = StatusCodes.Status307TemporaryRedirect;
        response.Headers.Location = url.AbsoluteUri;
        response.Headers[ContentHeaders.DockerContentDigest] = digest.Value;
        response.ContentLength = 0;
        return true;
    }

    private async Task<IBlobReader?> OpenAsync(RegistryRequest request, Digest digest)
    {
        // A second attempt: between the grain's answer and the opening, a collection may have deleted the blob, and a client may have
        // pushed it again as another object.
        for (var attempt = 0; attempt < 2; attempt++)
        {
            switch (await repositories.FindBlobAsync(request.Repository, digest, request.Aborted))
            {
                case null:
                    return null;

                case InlineContent { Bytes: var bytes }:
                    return new InlineBlobReader(bytes);

                case ObjectContent content when await OpenAsync(request, content, digest) is { } reader:
                    if (reader.Length == content.Size)
                    {
                        return reader;
                    }

                    LogDamaged(logger, content.Object, digest, request.Repository, content.Size, reader.Length);
                    await reader.DisposeAsync();
                    return null;
            }
        }

        LogMissing(logger, digest, request.Repository);
        return null;
    }

    /// <summary>Opens an object, and tells the store which of its bytes the answer begins with.</summary>
    private ValueTask<IBlobReader?> OpenAsync(RegistryRequest request, ObjectContent content, Digest digest)
    {
        ByteRange? first = FindRanges(request, digest, content.Size) switch
        {
            null => content.Size > 0 ? new ByteRange(0, content.Size) : null,
            [] => null,
            [var range, ..] => range,
        };
        return store.OpenAsync(content.Object, digest, first, request.Aborted);
    }

    /// <summary>Returns the ranges that the client wants; null for the whole blob.</summary>
    private static IReadOnlyList<ByteRange>? FindRanges(RegistryRequest request, Digest digest, long size)
    {
        var headers = request.Http.Request.Headers;
        return IsRangeWanted(headers.IfRange, digest) ? ByteRange.ParseRangeHeader(headers.Range, size) : null;
    }

    private static async Task SendAsync(RegistryRequest request, IBlobReader source, Digest digest)
    {
        switch (FindRanges(request, digest, source.Length))
        {
            case null:
                await BlobSender.SendAsync(request.Http, source);
                break;

            case []:
                request.Http.Response.Headers.ContentRange = $"bytes */{source.Length}";
                request.Http.Response.Headers.CacheControl = default;
                await request.RefuseAsync(RegistryError.RangeNotSatisfiable, detail: json => json.WriteNumber("size", source.Length));
                break;

            case [var range]:
                await BlobSender.SendRangeAsync(request.Http, source, range);
                break;

            case var ranges:
                await BlobSender.SendRangesAsync(request.Http, source, ranges);
                break;
        }
    }

    /// <summary>
    /// Returns whether the range applies: with <c>If-Range</c>, only to the content of which the client has a part already (RFC 9110,
    /// section 13.1.5).
    /// </summary>
    private static bool IsRangeWanted(StringValues ifRange, Digest digest) =>
        StringValues.IsNullOrEmpty(ifRange) || ifRange.ToString() == $"\"{digest.Value}\"";

    private static void SetHeaders(HttpContext http, Digest digest)
    {
        ContentHeaders.SetDigest(http, digest);
        http.Response.ContentType = MediaTypes.OctetStream;
        http.Response.Headers.AcceptRanges = "bytes";
        http.Response.Headers.CacheControl = Immutable;
    }

    private static Task UnknownAsync(RegistryRequest request, Digest digest) =>
        request.RefuseAsync(RegistryError.BlobUnknown, detail: json => json.WriteString("digest", digest.Value));

    [LoggerMessage(2101, LogLevel.Error, "Object {Object} of {Digest} in {Repository} has {ActualSize} bytes, not {Size}: it is damaged. " +
        "Delete the blob and push the layer again")]
    private static partial void LogDamaged(
        ILogger logger,
        ObjectId @object,
        Digest digest,
        RepositoryName repository,
        long size,
        long actualSize);

    [LoggerMessage(2102, LogLevel.Error, "The object of {Digest} in {Repository} is missing: something other than the registry " +
        "removed it from the storage. Restore it from a backup")]
    private static partial void LogMissing(ILogger logger, Digest digest, RepositoryName repository);
}
