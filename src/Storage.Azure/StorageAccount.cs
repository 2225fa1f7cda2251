using Azure.Core;
using Azure.Data.Tables;
using Azure.Storage.Blobs;

namespace Granary.Storage.Azure;

/// <summary>Makes the clients of one storage account: of its tables and of its blobs.</summary>
/// <remarks>
/// A connection string carries the key of the account and is for Azurite and tests. The URL of an account goes with the identity that the
/// platform gives to the process, so that there is no secret.
/// </remarks>
public sealed class StorageAccount
{
    private readonly Func<TableClientOptions, TableServiceClient> _tables;
    private readonly Func<BlobClientOptions, BlobServiceClient> _blobs;

    private StorageAccount(Func<TableClientOptions, TableServiceClient> tables, Func<BlobClientOptions, BlobServiceClient> blobs) =>
        (_tables, _blobs) = (tables, blobs);

    /// <summary>Returns the account of a connection string.</summary>
    /// <exception cref="FormatException">The text is not a connection string.</exception>
    public static StorageAccount FromConnectionString(string text)
    {
        try
        {
            _ = new TableServiceClient(text);
        }
        catch (Exception e) when (e is FormatException or InvalidOperationException or ArgumentException)
        {
            throw new FormatException("The text is not a connection string of a storage account.", e);
        }

        return new StorageAccount(options => new TableServiceClient(text, options), options => new BlobServiceClient(text, options));
    }

    /// <summary>Returns the account whose services have these addresses, reached with a credential.</summary>
    /// <param name="tables">The address of the tables, such as <c>https://NAME.table.core.windows.net</c>.</param>
    /// <param name="blobs">The address of the blobs, such as <c>https://NAME.blob.core.windows.net</c>.</param>
    /// <param name="credential">The credential.</param>
    public static StorageAccount FromAddresses(Uri tables, Uri blobs, TokenCredential credential)
    {
        return new StorageAccount(
            options => new TableServiceClient(tables, credential, options),
            options => new BlobServiceClient(blobs, credential, options));
    }

    /// <summary>Makes a client of the tables.</summary>
    public TableServiceClient CreateTableClient(TableClientOptions options) => _tables(options);

    /// <summary>Makes a client of the blobs.</summary>
    public BlobServiceClient CreateBlobClient(BlobClientOptions options) => _blobs(options);
}
