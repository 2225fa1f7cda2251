using Azure.Core;
using Azure.Storage.Blobs;
using Granary.Storage.Azure;
using Granary.Storage.Azure.Blobs;

namespace Granary.Storage.Tests.Azure;

/// <summary>A store over a container of its own, whose requests a test sees.</summary>
internal sealed class BlobContainer
{
    private BlobContainer(BlobContainerClient client, AzureBlobStore store, BlobRequestPolicy requests) =>
        (Client, Store, Requests) = (client, store, requests);

    public BlobContainerClient Client { get; }

    public AzureBlobStore Store { get; }

    public BlobRequestPolicy Requests { get; }

    public static async Task<BlobContainer> CreateAsync(AzuriteFixture azurite, AzureBlobOptions? options = null)
    {
        var container = Open(azurite.Account, AzuriteFixture.NewName(), options);
        await container.Store.StartAsync(default);
        container.Requests.Clear();
        return container;
    }

    /// <summary>Returns another store over the same container, as another process has it.</summary>
    public BlobContainer Again(AzuriteFixture azurite, AzureBlobOptions? options = null) => Open(azurite.Account, Client.Name, options);

    public static BlobContainer Open(StorageAccount account, string name, AzureBlobOptions? options = null)
    {
        var requests = new BlobRequestPolicy();
        var clientOptions = AzureBlobClients.CreateOptions();
        clientOptions.AddPolicy(requests, HttpPipelinePosition.PerRetry);
        var client = account.CreateBlobClient(clientOptions).GetBlobContainerClient(name);
        return new BlobContainer(client, new AzureBlobStore(client, options ?? new AzureBlobOptions(), TimeProvider.System), requests);
    }
}
