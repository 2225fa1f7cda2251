using System.Buffers;

namespace Granary.Storage.Azure.Blobs;

/// <summary>The bytes of one block, until the service has them. Disposing returns the memory.</summary>
internal sealed class UploadBuffer(UploadMemory memory, byte[] bytes, int size, int units) : IDisposable
{
    private bool _isReturned;

    /// <summary>The bytes that it holds.</summary>
    public int Length { get; private set; }

    public bool IsFull => Length == size;

    /// <summary>Copies as many bytes as there is room for. Returns their number.</summary>
    public int Fill(in ReadOnlySequence<byte> source)
    {
        var count = (int)Math.Min(source.Length, size - Length);
        source.Slice(0, count).CopyTo(bytes.AsSpan(Length));
        Length += count;
        return count;
    }

    /// <summary>Returns a stream over the bytes. A repeated request reads it again.</summary>
    public Stream OpenStream() => new MemoryStream(bytes, 0, Length, writable: false);

    /// <inheritdoc/>
    public void Dispose()
    {
        if (!_isReturned)
        {
            _isReturned = true;
            memory.Return(bytes, units);
        }
    }
}
