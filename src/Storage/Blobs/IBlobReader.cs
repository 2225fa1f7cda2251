using Granary.Protocol;

namespace Granary.Storage.Blobs;

/// <summary>
/// Reads an open object. On a storage that can keep a deleted file open, the object stays readable until the reader is disposed; on
/// another one, reads of a deleted object fail with <see cref="StorageException"/>.
/// </summary>
public interface IBlobReader : IAsyncDisposable
{
    /// <summary>The bytes of the object when it was opened.</summary>
    long Length { get; }

    /// <summary>
    /// Tells which bytes the caller reads next, in order and to the end of the range. It is a hint: a store over a network asks for exactly
    /// these bytes in one request. Not while a read is under way.
    /// </summary>
    void Expect(ByteRange range);

    /// <summary>
    /// Reads at <paramref name="offset"/> into <paramref name="buffer"/>. Returns the number of bytes, which may be fewer than the buffer
    /// holds, and 0 only at the end. Several reads may run at once.
    /// </summary>
    ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken);
}
