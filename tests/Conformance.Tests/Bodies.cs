using System.Threading.Channels;

namespace Granary.Conformance.Tests;

/// <summary>A stream of unknown length: HttpClient sends it chunked.</summary>
internal sealed class UnseekableStream(byte[] content) : MemoryStream(content)
{
    public override bool CanSeek => false;
}

/// <summary>A body whose parts the test sends one by one.</summary>
internal sealed class SlowContent : HttpContent
{
    private readonly Channel<byte[]> _parts = Channel.CreateUnbounded<byte[]>();
    private readonly TaskCompletionSource _asked = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when the client begins to send. With <c>Expect: 100-continue</c> that is when the server reads.</summary>
    public Task Asked => _asked.Task;

    public ValueTask WriteAsync(byte[] part) => _parts.Writer.WriteAsync(part);

    public void Finish() => _parts.Writer.Complete();

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
        _asked.SetResult();
        await foreach (var part in _parts.Reader.ReadAllAsync())
        {
            await stream.WriteAsync(part);
            await stream.FlushAsync();
        }
    }

    protected override bool TryComputeLength(out long length)
    {
        length = 0;
        return false;
    }
}
