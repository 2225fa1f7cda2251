using System.Net;
using System.Security.Cryptography;
using Azure.Core;
using Azure.Core.Pipeline;
using Granary.Protocol;
using Granary.Storage.Azure;
using Granary.Storage.Azure.Blobs;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Storage.Tests.Azure;

/// <summary>URLs that an identity signs. The service that gives the key is a stand-in, since the emulator has none.</summary>
public sealed class BlobLinkTests
{
    private readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 11, 28, 12, 3, 0, TimeSpan.Zero));
    private readonly KeyService _service;

    public BlobLinkTests() => _service = new KeyService(_time);

    [Fact]
    public async Task A_link_is_signed_for_reading_one_object_and_repeats_for_ten_minutes()
    {
        using var store = Store();
        var id = NewId();

        var first = await store.CreateLinkAsync(id, default);
        _time.Advance(TimeSpan.FromMinutes(6));
        var second = await store.CreateLinkAsync(id, default);
        _time.Advance(TimeSpan.FromMinutes(2));
        var third = await store.CreateLinkAsync(id, default);

        Assert.Equal(first, second);
        Assert.NotEqual(first, third);
        Assert.StartsWith($"https://account.example/granary/objects/{id}?", first.AbsoluteUri, StringComparison.Ordinal);
        var query = Uri.UnescapeDataString(first.Query);
        Assert.Contains("sp=r&", query, StringComparison.Ordinal);
        Assert.Contains("sr=b&", query, StringComparison.Ordinal);
        Assert.Contains("spr=https&", query, StringComparison.Ordinal);
        Assert.Contains("se=2026-11-28T12:30:00Z&", query, StringComparison.Ordinal);
        Assert.DoesNotContain("&st=", query, StringComparison.Ordinal);
        Assert.Equal(1, _service.Keys);
    }

    [Fact]
    public async Task The_key_is_replaced_after_three_days_and_an_old_one_serves_while_the_service_fails()
    {
        using var store = Store();
        await store.CreateLinkAsync(NewId(), default);
        _time.Advance(TimeSpan.FromDays(2));
        await store.CreateLinkAsync(NewId(), default);
        Assert.Equal(1, _service.Keys);

        _time.Advance(TimeSpan.FromDays(2));
        _service.Status = HttpStatusCode.Forbidden;
        await store.CreateLinkAsync(NewId(), default);
        Assert.Equal(1, _service.Keys);

        _service.Status = HttpStatusCode.OK;
        _time.Advance(TimeSpan.FromMinutes(2));
        await store.CreateLinkAsync(NewId(), default);
        Assert.Equal(2, _service.Keys);

        _time.Advance(TimeSpan.FromDays(7));
        _service.Status = HttpStatusCode.Forbidden;
        var fault = await Assert.ThrowsAsync<StorageException>(() => store.CreateLinkAsync(NewId(), default).AsTask());
        Assert.Contains("Storage Blob Delegator", fault.Message, StringComparison.Ordinal);
    }

    private AzureBlobStore Store()
    {
        var options = AzureBlobClients.CreateOptions();
        options.Transport = new HttpClientTransport(new HttpClient(_service));
        var address = new Uri("https://account.example/");
        var account = StorageAccount.FromAddresses(address, address, new AnyCredential());
        return new AzureBlobStore(account.CreateBlobClient(options).GetBlobContainerClient("granary"), new AzureBlobOptions(), _time);
    }

    private static ObjectId NewId() => ObjectId.FromRandom(RandomNumberGenerator.GetBytes(16));

    private sealed class AnyCredential : TokenCredential
    {
        public override AccessToken GetToken(TokenRequestContext requestContext, CancellationToken cancellationToken) =>
            new("token", DateTimeOffset.MaxValue);

        public override ValueTask<AccessToken> GetTokenAsync(TokenRequestContext requestContext, CancellationToken cancellationToken) =>
            new(GetToken(requestContext, cancellationToken));
    }

    /// <summary>Gives keys as the service does.</summary>
    private sealed class KeyService(TimeProvider time) : HttpMessageHandler
    {
        public int Keys { get; private set; }

        public HttpStatusCode Status { get; set; } = HttpStatusCode.OK;

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (Status != HttpStatusCode.OK)
            {
                return Task.FromResult(new HttpResponseMessage(Status) { Content = new StringContent("") });
            }

            Keys++;
            var (start, expiry) = (time.GetUtcNow(), time.GetUtcNow().AddDays(6));
            return Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK)
            {
                Content = new StringContent(
                    $"""
                    <?xml version="1.0" encoding="utf-8"?><UserDelegationKey><SignedOid>00000000-0000-0000-0000-000000000001</SignedOid>
                    <SignedTid>00000000-0000-0000-0000-000000000002</SignedTid><SignedStart>{start:yyyy-MM-ddTHH:mm:ssZ}</SignedStart>
                    <SignedExpiry>{expiry:yyyy-MM-ddTHH:mm:ssZ}</SignedExpiry><SignedService>b</SignedService>
                    <SignedVersion>2022-11-02</SignedVersion><Value>{Convert.ToBase64String(new byte[32])}</Value></UserDelegationKey>
                    """,
                    System.Text.Encoding.UTF8,
                    "application/xml"),
            });
        }
    }
}
