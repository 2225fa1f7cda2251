using System.Net;
using Granary.Gateway.Transfer;
using Granary.Storage;
using Granary.Storage.Blobs;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Logging;

namespace Granary.Gateway.Tests.Transfer;

public sealed class BlobSenderTests
{
    private const int Length = 1_500_000;

    [Fact]
    public async Task The_whole_object_arrives()
    {
        await using var server = await StartAsync(faultAt: long.MaxValue);
        using var client = new HttpClient();

        var bytes = await client.GetByteArrayAsync(new Uri(server.Urls.First()));

        Assert.Equal(Length, bytes.Length);
        Assert.All(bytes, value => Assert.Equal(7, value));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1_200_000)]
    public async Task A_disk_that_fails_breaks_the_answer_off_from_the_first_byte_on(long faultAt)
    {
        await using var server = await StartAsync(faultAt);
        using var client = new HttpClient();

        // The client must not take a part of a layer, or none of it, for the whole.
        var failure = await Assert.ThrowsAsync<HttpRequestException>(() => client.GetByteArrayAsync(new Uri(server.Urls.First())));

        Assert.Equal(HttpRequestError.ResponseEnded, Assert.IsType<HttpIOException>(failure.InnerException).HttpRequestError);
    }

    private static async Task<WebApplication> StartAsync(long faultAt)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var server = builder.Build();
        server.Run(http => BlobSender.SendAsync(http, new FaultyReader(faultAt)));
        await server.StartAsync();
        return server;
    }

    private sealed class FaultyReader(long faultAt) : IBlobReader
    {
        public long Length => BlobSenderTests.Length;

        public void Expect(ByteRange range)
        {
        }

        public ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
        {
            if (offset + buffer.Length > faultAt)
            {
                throw new StorageException(StorageFault.Damaged, "A sector cannot be read.");
            }

            buffer.Span.Fill(7);
            return ValueTask.FromResult(buffer.Length);
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
