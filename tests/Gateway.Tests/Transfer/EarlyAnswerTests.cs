using System.Net;
using Granary.Gateway.Transfer;
using Microsoft.AspNetCore.Http;

namespace Granary.Gateway.Tests.Transfer;

public sealed class EarlyAnswerTests
{
    private const long Bound = 32 * 1024 * 1024;

    [Fact]
    public async Task A_stream_of_HTTP2_whose_body_the_answer_does_not_need_is_reset_and_its_connection_is_kept()
    {
        await using var server = await TransferHost.StartAsync(Wire.Http2Tls, http =>
        {
            http.Response.StatusCode = StatusCodes.Status404NotFound;
            return Task.CompletedTask;
        });
        using var client = server.Connect();
        using var endless = new EndlessContent();

        using var answer = await client.PutAsync(new Uri("/", UriKind.Relative), endless);
        using var again = await client.GetAsync(new Uri("/", UriKind.Relative));

        Assert.Equal((HttpStatusCode.NotFound, HttpStatusCode.NotFound), (answer.StatusCode, again.StatusCode));
        Assert.InRange(endless.Sent, 0, Bound);
        Assert.Equal(BreakOff.None, (await server.End).BrokenBy);
    }

    [Fact]
    public async Task A_fault_before_the_body_was_read_is_answered_with_500_and_the_body_has_a_bound()
    {
        await using var server = await TransferHost.StartAsync(Wire.Http11, _ => throw new InvalidOperationException("A fault."));
        using var client = server.Connect();
        using var endless = new EndlessContent();

        var putting = client.PutAsync(new Uri("/", UriKind.Relative), endless);
        await server.AdvanceToEndAsync(EarlyAnswers.MaxLinger / 4);
        try
        {
            using var answer = await putting;
            Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
        }
        catch (HttpRequestException)
        {
            // The client noticed the end of the connection before the answer.
        }

        var (traffic, _) = await server.End;
        Assert.InRange(traffic.Received, 0, EarlyAnswers.MaxDropped + 1024 * 1024);
    }

    private sealed class EndlessContent : HttpContent
    {
        public long Sent { get; private set; }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            for (var block = new byte[64 * 1024]; Sent < 4 * Bound; Sent += block.Length)
            {
                await stream.WriteAsync(block, cancellationToken);
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }
}
