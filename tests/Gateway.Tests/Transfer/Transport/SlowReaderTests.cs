using Granary.Gateway.Transfer;
using Granary.Gateway.Transfer.Transport;
using Granary.Storage.Blobs;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Tests.Transfer.Transport;

/// <summary>Clients that take an answer slowly get all of it. Clients that take nothing are given up.</summary>
public sealed class SlowReaderTests
{
    // More than the system buffers for one connection.
    private const int Length = 24_000_000;

    // Three quarters of the timeout pass, in fake time, between two pieces that the client takes.
    private const int Steps = 40;

    private static readonly RequestDelegate Layer = http => BlobSender.SendAsync(http, new Sevens());

    private static readonly RequestDelegate Document = http =>
    {
        http.Response.ContentLength = Length;
        return AnswerBody.SendAsync(http, new byte[Length]);
    };

    [Theory]
    [InlineData(Wire.Http11)]
    [InlineData(Wire.Http11Tls)]
    [InlineData(Wire.Http2Tls)]
    public async Task A_reader_at_a_trickle_gets_the_whole_layer(Wire wire)
    {
        await using var server = await TransferHost.StartAsync(wire, Layer);
        using var client = server.Connect();
        using var answer = await client.GetAsync(new Uri("/", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead);
        await using var body = await answer.Content.ReadAsStreamAsync();
        var output = await server.Output;

        var received = 0L;
        for (var step = 0; step < Steps; step++)
        {
            // Takes only so much that the client's end of the connection announces room.
            for (var before = output.GetBytesTaken(); output.GetBytesTaken() < before + 2048;)
            {
                received += await ReadAsync(body);
            }

            server.Time.Advance(server.IdleTimeout * 0.75);
        }

        for (int count; (count = await ReadAsync(body)) > 0;)
        {
            received += count;
        }

        var (traffic, brokenBy) = await server.End;
        Assert.Equal((Length, Length, BreakOff.None), (received, traffic.Sent, brokenBy));
    }

    [Theory]
    [InlineData(Wire.Http11, true)]
    [InlineData(Wire.Http11Tls, true)]
    [InlineData(Wire.Http2Tls, true)]
    [InlineData(Wire.Http11, false)]
    [InlineData(Wire.Http11Tls, false)]
    [InlineData(Wire.Http2Tls, false)]
    public async Task A_reader_that_takes_nothing_is_given_up_after_the_idle_timeout(Wire wire, bool isLayer)
    {
        await using var server = await TransferHost.StartAsync(wire, isLayer ? Layer : Document);
        using var client = server.Connect();
        using var answer = await client.GetAsync(new Uri("/", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead);
        var output = await server.Output;
        await WaitUntilFullAsync(output);

        server.Time.Advance(server.IdleTimeout * 0.9);
        await Task.Yield();
        Assert.False(server.End.IsCompleted);

        await server.AdvanceToEndAsync(server.IdleTimeout / 4);
        var (traffic, brokenBy) = await server.End;
        Assert.Equal(BreakOff.IdleReader, brokenBy);
        Assert.InRange(traffic.Sent, 0, Length - 1);
        await using var body = await answer.Content.ReadAsStreamAsync();
        await Assert.ThrowsAnyAsync<IOException>(() => body.CopyToAsync(Stream.Null));
    }

    [Theory]
    [InlineData(Wire.Http11)]
    [InlineData(Wire.Http2Tls)]
    public async Task A_client_that_goes_away_is_named(Wire wire)
    {
        await using var server = await TransferHost.StartAsync(wire, Layer);
        using (var client = server.Connect())
        using (var answer = await client.GetAsync(new Uri("/", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead))
        {
            await using var body = await answer.Content.ReadAsStreamAsync();
            await ReadAsync(body);
        }

        var (traffic, brokenBy) = await server.End;
        Assert.Equal(BreakOff.Client, brokenBy);
        Assert.InRange(traffic.Sent, 0, Length - 1);
    }

    /// <summary>Waits until the client's buffers are full and take nothing more.</summary>
    private static async Task WaitUntilFullAsync(SocketOutput output)
    {
        var (before, same) = (-1L, 0);
        using var timer = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (same < 30)
        {
            await timer.WaitForNextTickAsync();
            same = output.GetBytesTaken() == before ? same + 1 : 0;
            before = output.GetBytesTaken();
        }
    }

    private static async Task<int> ReadAsync(Stream body) => await body.ReadAsync(new byte[4096]);

    private sealed class Sevens : IBlobReader
    {
        public long Length => SlowReaderTests.Length;

        public void Expect(ByteRange range)
        {
        }

        public ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
        {
            buffer.Span.Fill(7);
            return ValueTask.FromResult(buffer.Length);
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
