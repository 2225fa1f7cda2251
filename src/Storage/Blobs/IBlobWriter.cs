using System.Buffers;
using Granary.Protocol;

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
    /// <exception cref="TooManyPiecesException">The object consists of as many pieces as the store allows.</exception>
    ValueTask WriteAsync(ReadOnlySequence<byte> bytes, CancellationToken cancellationToken);

    /// <summary>Makes all appended bytes, and the existence of the object, durable.</summary>
    /// <param name="content">
    /// The digest of all bytes of the object, if the caller seals it next and writes no more; otherwise null. A store over a network saves
    /// a request with it. From then on the object may be sealed already under this digest.
    /// </param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <exception cref="EpochFencedException">This epoch is fenced. The bytes may be truncated.</exception>
    /// <exception cref="TooManyPiecesException">The object consists of as many pieces as the store allows.</exception>
    ValueTask FlushAsync(Digest? content, CancellationToken cancellationToken);

    /// <summary>
    /// Seals the object over all bytes of this writer, like <see cref="IBlobStore.SealAsync"/>. The caller has passed the digest to
    /// <see cref="FlushAsync"/>. A store over a network saves requests by what the writer knows.
    /// </summary>
    ValueTask<bool> SealAsync(Digest digest, CancellationToken cancellationToken);
}
