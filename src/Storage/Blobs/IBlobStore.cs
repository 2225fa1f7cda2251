using System.Buffers;
using Granary.Protocol;

namespace Granary.Storage.Blobs;

/// <summary>
/// Objects of any size that are written once, from the front, by one writer at a time, then closed under a digest and only read. Bytes are streamed: an
/// implementation holds a small, fixed amount of memory for each transfer.
/// Every implementation passes one conformance suite, <c>BlobStoreContract</c> in tests/Storage.Tests.
/// </summary>
/// <remarks>All methods throw <see cref="StorageException"/> for a fault of the storage, and <see cref="OperationCanceledException"/>.</remarks>
public interface IBlobStore
{
    /// <summary>
    /// Takes hold of an object's tail: fences the writers of older epochs, truncates the object to <paramref name="offset"/>, and opens it for appending.
    /// An object that does not exist is created, exclusively, if <paramref name="offset"/> is 0.
    /// </summary>
    /// <param name="id">The object; not yet sealed.</param>
    /// <param name="epoch">The number of this hold. Numbers of an object never restart.</param>
    /// <param name="offset">How many bytes of it count. Fewer are there only if the storage lost some.</param>
    /// <param name="cancellationToken">Ends the call.</param>
    /// <returns>The writer; null if the object is gone, is sealed or is shorter than <paramref name="offset"/>: the upload cannot go on.</returns>
    /// <exception cref="EpochFencedException">A newer epoch holds the object already.</exception>
    ValueTask<IBlobWriter?> OpenWriterAsync(ObjectId id, long epoch, long offset, CancellationToken cancellationToken);

    /// <summary>
    /// Closes an object and records its digest with it, durably: afterwards it can be found by <see cref="OpenAsync"/>, its name holds the digest, and no writer
    /// can touch it. Its bytes were flushed before. Repeating this is harmless.
    /// </summary>
    /// <returns>False if the object is gone.</returns>
    ValueTask<bool> SealAsync(ObjectId id, Digest digest, CancellationToken cancellationToken);

    /// <summary>Opens a sealed object; null if it is gone.</summary>
    ValueTask<IBlobReader?> OpenAsync(ObjectId id, Digest digest, CancellationToken cancellationToken);

    /// <summary>Reads back an object that is still being written, for hashing what an earlier request sent; null if it is gone.</summary>
    ValueTask<IBlobReader?> OpenUnsealedAsync(ObjectId id, CancellationToken cancellationToken);

    /// <summary>
    /// Removes an object, sealed under <paramref name="digest"/> or not sealed yet, and fences its writers. That it is gone already is no error.
    /// </summary>
    ValueTask DeleteAsync(ObjectId id, Digest? digest, CancellationToken cancellationToken);

    /// <summary>Answers if the storage can be written to at the moment.</summary>
    /// <exception cref="StorageException">It cannot; the message says why.</exception>
    ValueTask CheckAsync(CancellationToken cancellationToken);

    /// <summary>Lists all objects, in no order. Slow: for scrubs and tools.</summary>
    IAsyncEnumerable<StoredObject> ListAsync(CancellationToken cancellationToken);
}

/// <summary>The one writer of an object's tail. Disposing it closes it; what was not flushed may or may not be there later.</summary>
public interface IBlobWriter : IAsyncDisposable
{
    /// <summary>How many bytes the object has, flushed or not.</summary>
    long Length { get; }

    /// <summary>Appends bytes, all of them or, where that fails, any part. Completes synchronously where the storage is local.</summary>
    /// <exception cref="EpochFencedException">A newer epoch has taken the object: this writer is over.</exception>
    ValueTask WriteAsync(ReadOnlySequence<byte> bytes, CancellationToken cancellationToken);

    /// <summary>Makes everything written so far, and the object's existence, durable.</summary>
    /// <exception cref="EpochFencedException">A newer epoch has taken the object: this writer is over.</exception>
    ValueTask FlushAsync(CancellationToken cancellationToken);
}

/// <summary>Writing what is in one piece.</summary>
public static class BlobWriterExtensions
{
    /// <inheritdoc cref="IBlobWriter.WriteAsync"/>
    public static ValueTask WriteAsync(this IBlobWriter writer, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) =>
        writer.WriteAsync(new ReadOnlySequence<byte>(bytes), cancellationToken);
}

/// <summary>An open object. It stays readable until it is disposed, even if the object is deleted meanwhile where the storage can do that.</summary>
public interface IBlobReader : IAsyncDisposable
{
    /// <summary>Bytes.</summary>
    long Length { get; }

    /// <summary>Reads at <paramref name="offset"/>, as much as is there and fits; 0 at the end. Several reads may run at once.</summary>
    ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken);
}

/// <summary>An object as a listing shows it.</summary>
/// <param name="Id">Its identity.</param>
/// <param name="Digest">The digest it was sealed under; null while it is being uploaded.</param>
/// <param name="Length">Bytes.</param>
/// <param name="LastWrite">When its bytes last changed.</param>
public sealed record StoredObject(ObjectId Id, Digest? Digest, long Length, DateTimeOffset LastWrite);

/// <summary>The writer's epoch is over: another request, maybe of another process, has taken the object.</summary>
public sealed class EpochFencedException(ObjectId id, long epoch) : Exception($"Epoch {epoch} of object {id} is over.")
{
    /// <summary>The object.</summary>
    public ObjectId Id { get; } = id;

    /// <summary>The epoch that is over.</summary>
    public long Epoch { get; } = epoch;
}
