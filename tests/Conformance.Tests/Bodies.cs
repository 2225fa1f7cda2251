using System.Threading.Channels;

namespace Granary.Conformance.Tests;

/// <summary>A stream of unknown length: HttpClient sends it chunked.</summary>
internal sealed class UnseekableStream(byte[] content) : MemoryStream(content)
{
    public override bool CanSeek => false;
}

/// <summary>A body that comes when the test says so.</summary>
internal sealed class SlowContent : HttpContent
{
    private readonly Channel<byte[]> _parts = Channel.CreateUnbounded<byte[]>();

    public ValueTask WriteAsync(byte[] part) => _parts.Writer.WriteAsync(part);

    public void Finish() => _parts.Writer.Complete();

    protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
    {
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
