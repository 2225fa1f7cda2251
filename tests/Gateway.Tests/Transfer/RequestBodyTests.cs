using System.IO.Pipelines;
using Granary.Gateway.Transfer;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.Time.Testing;

namespace Granary.Gateway.Tests.Transfer;

public sealed class RequestBodyTests
{
    private static readonly TimeSpan Idle = TimeSpan.FromSeconds(60);

    private readonly FakeTimeProvider _time = new();
    private readonly Pipe _pipe = new();

    [Fact]
    public async Task A_client_that_sends_nothing_for_too_long_ends_its_body()
    {
        using var body = Open();
        var read = body.ReadAsync();

        _time.Advance(Idle + TimeSpan.FromSeconds(1));

        await Assert.ThrowsAsync<BrokenBodyException>(async () => await read);
    }

    [Fact]
    public async Task A_client_that_goes_on_sending_may_take_as_long_as_it_likes()
    {
        using var body = Open();
        for (var i = 0; i < 20; i++)
        {
            // Every second piece has arrived before the read; the reads of the others wait.
            var isWaitedFor = i % 2 == 0;
            var early = isWaitedFor ? body.ReadAsync() : default;
            _time.Advance(Idle / 2);
            await _pipe.Writer.WriteAsync(new byte[10]);
            var read = isWaitedFor ? await early : await body.ReadAsync();
            Assert.Equal(10, read.Buffer.Length);
            body.Advance(read.Buffer.End);
            _time.Advance(Idle * 2);
        }
    }

    [Theory]
    [InlineData(100, 100, true)]
    [InlineData(101, 100, false)]
    [InlineData(0, 100, true)]
    public async Task A_small_body_is_read_whole_or_not_at_all(int size, int limit, bool fits)
    {
        using var body = Open();
        await _pipe.Writer.WriteAsync(new byte[size]);
        await _pipe.Writer.CompleteAsync();

        var bytes = await body.ReadWholeAsync(limit);

        Assert.Equal(fits ? size : null, bytes?.Length);
        if (!fits)
        {
            Assert.Equal(size, (await body.ReadAsync()).Buffer.Length);
        }
    }

    private RequestBody Open()
    {
        var http = new DefaultHttpContext();
        http.Features.Set<IRequestBodyPipeFeature>(new Body(_pipe.Reader));
        return new RequestBody(http, Idle, _time);
    }

    private sealed record Body(PipeReader Reader) : IRequestBodyPipeFeature;
}
