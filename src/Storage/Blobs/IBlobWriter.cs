using System.Buffers;

namespace Granary.Storage.Blobs;

/// <summary>
/// Appends to an object under one epoch. One caller uses it at a time. Disposing it closes it; bytes that were not flushed may be lost.
/// </summary>
public interface IBlobWriter : IAsyncDisposable
{
    /// <summary>The bytes of the object, flushed or not.</summary>
    long Length { get; }

    /// <summary>
    /// Appends bytes. After a fault any part of them may be written. Completes synchronously if the storage is local. The store does not
    /// use the buffers after the call completes.
    /// </summary>
    /// <exception cref="EpochFencedException">This epoch is fenced. Nothing was written.</exception>
    ValueTask WriteAsync(ReadOnlySequence<byte> bytes, CancellationToken cancellationToken);

    /// <summary>Makes all appended bytes, and the existence of the object, durable.</summary>
    /// <exception cref="EpochFencedException">This epoch is fenced. The bytes may be truncated.</exception>
    ValueTask FlushAsync(CancellationToken cancellationToken);
}
