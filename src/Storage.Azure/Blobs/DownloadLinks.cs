using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Specialized;
using Azure.Storage.Sas;

namespace Granary.Storage.Azure.Blobs;

/// <summary>
/// Signs URLs of single objects, for reading only. With an account key, which only Azurite and tests have, it signs by itself; otherwise
/// with a key of the account for the identity of this process.
/// </summary>
internal sealed class DownloadLinks(BlobContainerClient container, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan Validity = TimeSpan.FromMinutes(20);

    // The URL is the same for so long.
    private static readonly TimeSpan Rounding = TimeSpan.FromMinutes(10);

    private readonly DownloadKeys _keys = new(container.GetParentBlobServiceClient(), time);

    /// <summary>Returns the URL of a blob.</summary>
    public async ValueTask<Uri> CreateAsync(BlockBlobClient blob, CancellationToken cancellationToken)
    {
        var sas = new BlobSasBuilder(BlobSasPermissions.Read, Expiry())
        {
            BlobContainerName = container.Name,
            BlobName = blob.Name,
            Resource = "b",

            // Without a start: a clock that is behind would make the URL invalid for its first minutes. Azurite has no TLS.
            Protocol = blob.Uri.Scheme == Uri.UriSchemeHttps ? SasProtocol.Https : SasProtocol.HttpsAndHttp,
        };
        if (blob.CanGenerateSasUri)
        {
            return blob.GenerateSasUri(sas);
        }

        var key = await _keys.GetAsync(cancellationToken);
        return new BlobUriBuilder(blob.Uri) { Sas = sas.ToSasQueryParameters(key, container.AccountName) }.ToUri();
    }

    /// <inheritdoc/>
    public void Dispose() => _keys.Dispose();

    private DateTimeOffset Expiry()
    {
        var now = time.GetUtcNow();
        var started = new DateTimeOffset(now.UtcTicks - (now.UtcTicks % Rounding.Ticks), TimeSpan.Zero);
        return started + Rounding + Validity;
    }
}
