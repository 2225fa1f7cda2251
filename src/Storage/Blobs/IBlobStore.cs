using Granary.Protocol;

namespace Granary.Storage.Blobs;

/// <summary>
/// Stores objects of any size. One writer at a time appends to an object; then the object is sealed under a digest and only read. An
/// implementation streams bytes: it holds a small, fixed amount of memory for each transfer. Every implementation passes one conformance
/// suite, <c>BlobStoreContract</c> in tests/Storage.Tests. What object stores cannot promise is in ADR 16.
/// </summary>
/// <remarks>
/// <list type="bullet">
/// <item>All methods are thread-safe. Calls for different objects and for one object may run at once.</item>
/// <item>An object's id is random and is never used for a second object. The store does not remember deleted objects.</item>
/// <item>A fence holds against every writer that can still write, of this process or another: a call of a fenced writer throws
/// <see cref="EpochFencedException"/>, or what it writes never becomes part of the object.</item>
/// <item>Every method throws <see cref="StorageException"/> for a fault of the storage, and
/// <see cref="OperationCanceledException"/> if its token is cancelled. A store may ignore a cancellation once the work has begun.</item>
/// </list>
/// </remarks>
public interface IBlobStore
{
    /// <summary>
    /// Whether <see cref="OpenUnsealedAsync"/> reads without an effect on writers. If false, the gateway keeps the running hash of an
    /// upload in the row of its session, and reads an unsealed object only under a claim of its own.
    /// </summary>
    bool ReadsUnsealed { get; }

    /// <summary>
    /// Opens an object for appending, under a claim: fences the writers of older epochs, and truncates the object to
    /// <paramref name="offset"/>. Creates an object that does not exist if <paramref name="offset"/> is 0.
    /// </summary>
    /// <param name="id">The object. The caller knows that it is not sealed and not deleted: with offset 0, a store need not check.</param>
    /// <param name="epoch">The number of the claim. The epochs of an object only grow, and the caller opens one writer for each.</param>
    /// <param name="offset">
    /// The number of durable bytes that the caller relies on: 0, or the length of the object after a flush that was acknowledged. An
    /// object that is shorter has lost bytes.
    /// </param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <returns>
    /// The writer at <paramref name="offset"/>. Null if the object is shorter than <paramref name="offset"/>, or is sealed or does not
    /// exist and <paramref name="offset"/> is not 0: the upload cannot continue. A store that would have to ask over a network may return
    /// a writer all the same; then <see cref="SealAsync"/> answers that bytes are missing.
    /// </returns>
    /// <exception cref="EpochFencedException">A newer epoch has opened the object, or a seal or a delete of it is under way.</exception>
    /// <exception cref="TooManyPiecesException">The object consists of as many pieces as the store allows.</exception>
    ValueTask<IBlobWriter?> OpenWriterAsync(ObjectId id, long epoch, long offset, CancellationToken cancellationToken);

    /// <summary>
    /// Closes an object under its digest, durably, and fences its writers. From then on <see cref="OpenAsync"/> finds the object, and its
    /// bytes never change. The caller has flushed the bytes before, and has computed the digest; the store does not check it. Idempotent.
    /// </summary>
    /// <param name="id">The object.</param>
    /// <param name="digest">The digest of its content.</param>
    /// <param name="size">
    /// The size of its content. Bytes after it do not count and are cut off: a request that failed or was fenced may have written them.
    /// </param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <returns>
    /// False if the object is shorter, does not exist, or is sealed under another digest. An object of size 0 need not exist.
    /// </returns>
    ValueTask<bool> SealAsync(ObjectId id, Digest digest, long size, CancellationToken cancellationToken);

    /// <summary>Opens an object that is sealed under this digest. Returns null if there is none.</summary>
    /// <param name="id">The object.</param>
    /// <param name="digest">Its digest.</param>
    /// <param name="expected">
    /// The bytes that the caller reads first, in order, as for <see cref="IBlobReader.Expect"/>; null if it does not know.
    /// </param>
    /// <param name="cancellationToken">Cancels the call.</param>
    ValueTask<IBlobReader?> OpenAsync(ObjectId id, Digest digest, ByteRange? expected, CancellationToken cancellationToken);

    /// <summary>
    /// Opens an object that is not sealed, to hash the bytes that earlier requests wrote. Returns null if there is none, or if it is
    /// shorter than <paramref name="size"/>. The reader sees at least these bytes, and may see later ones.
    /// </summary>
    /// <param name="id">The object.</param>
    /// <param name="size">The number of bytes that the caller reads, all of them flushed.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    /// <remarks>
    /// If <see cref="ReadsUnsealed"/> is false, the caller has the newest claim on the object: the call drops what writers of other
    /// epochs have written and not counted.
    /// </remarks>
    ValueTask<IBlobReader?> OpenUnsealedAsync(ObjectId id, long size, CancellationToken cancellationToken);

    /// <summary>
    /// Deletes an object and fences its writers. Does nothing if the object does not exist. After a fault the object may or may not be
    /// deleted, and the caller repeats the call.
    /// </summary>
    /// <param name="id">The object.</param>
    /// <param name="digest">The digest under which the object is or may be sealed; null if it is not sealed.</param>
    /// <param name="cancellationToken">Cancels the call.</param>
    ValueTask DeleteAsync(ObjectId id, Digest? digest, CancellationToken cancellationToken);

    /// <summary>Checks that the storage accepts writes now.</summary>
    /// <exception cref="StorageException">The storage does not accept writes. The message says why.</exception>
    ValueTask CheckAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Lists all objects, in no order. An object that is created, sealed or deleted meanwhile may be listed or not. Slow: for scrubs and
    /// tools.
    /// </summary>
    IAsyncEnumerable<StoredObject> ListAsync(CancellationToken cancellationToken);
}
