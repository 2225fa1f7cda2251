using Granary.Protocol;
using Granary.Storage.Blobs;

namespace Granary.Gateway.Transfer;

/// <summary>Reads the bytes of a small blob like an object.</summary>
internal sealed class InlineBlobReader(byte[] bytes) : IBlobReader
{
    /// <inheritdoc/>
    public long Length => bytes.Length;

    /// <inheritdoc/>
    public void Expect(ByteRange range)
    {
        // All bytes are here.
    }

    /// <inheritdoc/>
    public ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        var count = (int)Math.Min(buffer.Length, bytes.Length - offset);
        bytes.AsSpan((int)offset, count).CopyTo(buffer.Span);
        return ValueTask.FromResult(count);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
