using Granary.Protocol;
using Granary.Storage;
using Granary.Storage.Blobs;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Granary.Gateway.Transfer;

/// <summary>Says where a client downloads a layer by itself.</summary>
internal sealed partial class DownloadRedirects(
    IBlobStore store,
    IOptions<DownloadOptions> options,
    ILogger<DownloadRedirects> logger)
{
    // A redirect costs the client a request and mostly a connection. Below this size the bytes come sooner through the gateway.
    private const long MinSize = 1024 * 1024;

    /// <summary>Whether clients are redirected at all.</summary>
    public bool IsOn => options.Value.Mode == DownloadMode.Redirect;

    /// <summary>Whether a redirect to an object of this size is worth its cost.</summary>
    public static bool IsWorthIt(long size) => size > MinSize;

    /// <summary>Returns the URL of an object; null if the store cannot make one now, so that the gateway sends the bytes.</summary>
    public async ValueTask<Uri?> FindAsync(ObjectId id, Digest digest, CancellationToken cancellationToken)
    {
        try
        {
            return store is IBlobLinks links ? await links.CreateLinkAsync(id, cancellationToken) : null;
        }
        catch (StorageException e)
        {
            LogNotRedirected(logger, digest, e.Message);
            return null;
        }
    }

    [LoggerMessage(2103, LogLevel.Warning, "The download of {Digest} is not redirected, and goes through the gateway: {Reason}")]
    private static partial void LogNotRedirected(ILogger logger, Digest digest, string reason);
}
