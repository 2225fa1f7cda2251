using System.Security.Cryptography;
using Azure;
using Azure.Core;
using Azure.Identity;
using Granary.Protocol;
using Granary.Storage.Azure;
using Granary.Storage.Azure.Blobs;
using Granary.Storage.Blobs;

namespace Granary.Storage.Tests.Azure;

/// <summary>Requests that fail, and answers that are lost.</summary>
[Collection(AzuriteCollection.Name)]
public sealed class BlobFaultTests(AzuriteFixture azurite)
{
    private static readonly AzureBlobOptions SmallBlocks = new() { BlockSize = 1000 };

    public static TheoryData<string, bool> Requests => new()
    {
        { "PUT", false }, { "PUT", true },
        { "PUT block", false }, { "PUT block", true },
        { "PUT blocklist", false }, { "PUT blocklist", true },
        { "GET blocklist", false },
        { "GET", false }, { "DELETE", false }, { "DELETE", true },
    };

    [Theory]
    [MemberData(nameof(Requests))]
    public async Task A_request_that_fails_once_or_whose_answer_is_lost_is_repeated_without_harm(string kind, bool isDone)
    {
        var container = await BlobContainer.CreateAsync(azurite, SmallBlocks);
        var failed = new HashSet<string>(StringComparer.Ordinal);
        container.Requests.Handle = async (message, next) =>
        {
            // Once for each request to each object: the repetition passes.
            var fails = BlobRequestPolicy.KindOf(message) == kind && failed.Add(message.Request.Uri.ToString());
            if (isDone || !fails)
            {
                await next();
            }

            if (fails)
            {
                throw new IOException("The connection was reset.");
            }
        };
        foreach (var size in new[] { 0, 10, 2500 })
        {
            await PushInOneRequestAsync(container.Store, size);
            await PushInChunksAsync(container.Store, size);
        }

        Assert.True(failed.Count > 0 || kind == "GET blocklist");
    }

    [Theory]
    [InlineData(503)]
    [InlineData(500)]
    public async Task A_service_that_refuses_all_requests_is_unavailable_after_the_retries(int status)
    {
        var container = await BlobContainer.CreateAsync(azurite, SmallBlocks);
        await using var writer = (await container.Store.OpenWriterAsync(NewId(), 1, 0, default))!;
        await writer.WriteAsync(new byte[10], default);
        container.Requests.Handle = (_, _) => throw new RequestFailedException(status, "Busy", "ServerBusy", innerException: null);

        var fault = await Assert.ThrowsAsync<StorageException>(() => writer.FlushAsync(default).AsTask());
        var again = await Assert.ThrowsAsync<StorageException>(() => writer.FlushAsync(default).AsTask());

        Assert.Equal(StorageFault.Unavailable, fault.Fault);
        Assert.Same(fault, again);
        Assert.Contains("cannot be written", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_missing_container_is_made_at_the_start()
    {
        var container = BlobContainer.Open(azurite.Account, AzuriteFixture.NewName());
        var fault = await Assert.ThrowsAsync<StorageException>(() => container.Store.CheckAsync(default).AsTask());
        Assert.Contains("does not exist", fault.Message, StringComparison.Ordinal);

        await container.Store.StartAsync(default);
        await container.Store.StartAsync(default);

        await container.Store.CheckAsync(default);
    }

    [Fact]
    public async Task A_container_that_is_gone_is_a_fault_and_not_a_missing_object()
    {
        var container = BlobContainer.Open(azurite.Account, AzuriteFixture.NewName());

        var reading = container.Store.OpenAsync(NewId(), DigestOf([]), null, default).AsTask();

        Assert.Contains("container", (await Assert.ThrowsAsync<StorageException>(() => reading)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Wrong_credentials_name_the_role_that_is_missing()
    {
        var wrong = azurite.Server.ConnectionString.Replace(
            AzuriteServer.Key,
            Convert.ToBase64String(new byte[64]),
            StringComparison.Ordinal);
        var container = BlobContainer.Open(StorageAccount.FromConnectionString(wrong), AzuriteFixture.NewName());

        var fault = await Assert.ThrowsAsync<StorageException>(() => container.Store.StartAsync(default));

        Assert.Equal(StorageFault.Unavailable, fault.Fault);
        Assert.Contains("Storage Blob Data Contributor", fault.Message, StringComparison.Ordinal);
        Assert.Contains(container.Client.Name, fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_process_without_an_identity_is_told_what_to_give_it()
    {
        var address = new Uri("https://127.0.0.1:1/");
        var account = StorageAccount.FromAddresses(address, address, new NoCredential());

        var fault = await Assert.ThrowsAsync<StorageException>(() => BlobContainer.Open(account, "granary").Store.StartAsync(default));

        Assert.Contains("Storage Blob Data Contributor", fault.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_account_that_does_not_answer_is_named_with_its_address()
    {
        var nowhere = new Uri("http://127.0.0.1:1/");
        var account = StorageAccount.FromConnectionString(AzuriteServer.ConnectionStringOf(nowhere, nowhere));

        var fault = await Assert.ThrowsAsync<StorageException>(() => BlobContainer.Open(account, "granary").Store.StartAsync(default));

        Assert.Equal(StorageFault.Unavailable, fault.Fault);
        Assert.Contains("http://127.0.0.1:1/", fault.Message, StringComparison.Ordinal);
    }

    private static async Task PushInOneRequestAsync(AzureBlobStore store, int size)
    {
        var (id, content) = (NewId(), RegistryClient.RandomBytes(size));
        await using (var writer = (await store.OpenWriterAsync(id, 1, 0, default))!)
        {
            await writer.WriteAsync(content, default);
            await writer.FlushAsync(DigestOf(content), default);
            Assert.True(await writer.SealAsync(DigestOf(content), default));
        }

        await CheckAndDeleteAsync(store, id, content);
    }

    private static async Task PushInChunksAsync(AzureBlobStore store, int size)
    {
        var (id, content) = (NewId(), RegistryClient.RandomBytes(size));
        for (var at = 0; at < size; at += 1500)
        {
            await using var writer = (await store.OpenWriterAsync(id, at + 1, at, default))!;
            await writer.WriteAsync(content.AsMemory(at, Math.Min(1500, size - at)), default);
            await writer.FlushAsync(default);
        }

        Assert.True(await store.SealAsync(id, DigestOf(content), size, default));
        await CheckAndDeleteAsync(store, id, content);
    }

    private static async Task CheckAndDeleteAsync(AzureBlobStore store, ObjectId id, byte[] content)
    {
        ByteRange? whole = content.Length > 0 ? new ByteRange(0, content.Length) : null;
        await using (var reader = (await store.OpenAsync(id, DigestOf(content), whole, default))!)
        {
            var read = new byte[reader.Length];
            for (var done = 0; done < read.Length;)
            {
                done += await reader.ReadAsync(done, read.AsMemory(done), default);
            }

            Assert.Equal(content, read);
        }

        await store.DeleteAsync(id, DigestOf(content), default);
        Assert.Null(await store.OpenAsync(id, DigestOf(content), null, default));
    }

    private static ObjectId NewId() => ObjectId.FromRandom(RandomNumberGenerator.GetBytes(16));

    private static Digest DigestOf(byte[] content) => Digest.Compute(DigestAlgorithm.Sha256, content);

    private sealed class NoCredential : TokenCredential
    {
        public override AccessToken GetToken(TokenRequestContext requestContext, CancellationToken cancellationToken) =>
            throw new CredentialUnavailableException("There is no managed identity here.");

        public override ValueTask<AccessToken> GetTokenAsync(TokenRequestContext requestContext, CancellationToken cancellationToken) =>
            throw new CredentialUnavailableException("There is no managed identity here.");
    }
}
