using Granary.Gateway.Transfer;
using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Uploads;
using Granary.Protocol;
using Granary.Protocol.Hashing;
using Granary.Storage.Blobs;
using Granary.Storage.Space;

namespace Granary.Gateway.Uploads;

/// <summary>
/// One request's claim on an upload session, with the object that the store opened under the claim's epoch (docs/architecture.md,
/// "Bytes"). <see cref="AdvanceAsync"/>, <see cref="DiscardAsync"/> and <see cref="SealAsync"/> end the claim. If a fault prevented them,
/// disposing ends it.
/// </summary>
internal sealed class UploadWriter : IAsyncDisposable
{
    private const int RehashBlock = 128 * 1024;

    private readonly UploadId _id;
    private readonly UploadBegun _claim;
    private readonly IUploadSessionGrain _session;
    private readonly GrainCalls _calls;
    private readonly IBlobStore _store;
    private readonly IBlobWriter _writer;
    private readonly RunningHashCache _hashes;
    private readonly TimeProvider _time;
    private RunningHash? _hash;
    private long _renewed;
    private bool _isOver;

    public UploadWriter(
        UploadId id,
        UploadBegun claim,
        IUploadSessionGrain session,
        GrainCalls calls,
        IBlobStore store,
        IBlobWriter writer,
        RunningHashCache hashes,
        TimeProvider time)
    {
        (_id, _claim, _session, _calls, _store, _writer, _hashes, _time) = (id, claim, session, calls, store, writer, hashes, time);
        _hash = BeginHash();
        _renewed = time.GetTimestamp();
    }

    /// <summary>The offset of the session when the claim began.</summary>
    public long Start => _claim.Offset;

    /// <summary>How many bytes the object has now.</summary>
    public long Length => _writer.Length;

    /// <summary>The object.</summary>
    public ObjectId Object => _claim.Object;

    /// <summary>Whether the session is sealed: from then on only Renounce decides about the object.</summary>
    public bool IsSealed { get; private set; }

    /// <summary>Appends a request's body. Returns false if it is longer than <paramref name="maxBytes"/>.</summary>
    /// <exception cref="BrokenBodyException">The client stopped. The bytes that arrived are written.</exception>
    /// <exception cref="EpochFencedException">Another request has claimed the session.</exception>
    /// <exception cref="OutOfSpaceException">There is no more room.</exception>
    public Task<bool> ReceiveAsync(RequestBody body, SpaceAllowance space, long maxBytes) =>
        BlobReceiver.ReceiveAsync(body, _writer, _hash, space, maxBytes, KeepAliveAsync);

    /// <summary>
    /// Ends the claim and commits the new offset: the bytes of this request count. Returns false if another request has claimed the session
    /// meanwhile.
    /// </summary>
    public async Task<bool> AdvanceAsync()
    {
        if (!await TryFlushAsync())
        {
            return false;
        }

        var length = _writer.Length;
        var state = _hash is ResumableHash resumable && resumable.Length == length ? resumable.Export() : null;
        var isCommitted = await _calls.RepeatAsync(
            () => _session.Advance(_claim.Epoch, length, state, endClaim: true, CancellationToken.None),
            CancellationToken.None);
        _isOver = true;
        if (isCommitted && state is null && _hash is { } hash)
        {
            _hash = null;
            _hashes.Put(_id, hash);
        }

        return isCommitted;
    }

    /// <summary>Leaves the claim to the cancellation of the session: disposing does not end it.</summary>
    public void Abandon() => _isOver = true;

    /// <summary>Ends the claim. The bytes of this request do not count.</summary>
    public async Task DiscardAsync()
    {
        _isOver = true;
        await _calls.RepeatAsync(
            () => _session.Advance(_claim.Epoch, _claim.Offset, hash: null, endClaim: true, CancellationToken.None),
            CancellationToken.None);
    }

    /// <summary>
    /// Returns the digest of all bytes of the session; null if the storage has lost some. Reads the content back if the running hash does
    /// not cover all of it, or is of another algorithm.
    /// </summary>
    public async Task<Digest?> HashAsync(DigestAlgorithm algorithm)
    {
        if (_hash is { } hash && hash.Algorithm == algorithm && hash.Length == _writer.Length)
        {
            return hash.ToDigest();
        }

        if (!_store.ReadsUnsealed && !await TryFlushAsync())
        {
            throw new EpochFencedException(Object, _claim.Epoch);
        }

        return await RehashAsync(_store, Object, _writer.Length, algorithm, KeepAliveAsync);
    }

    /// <summary>
    /// Seals the session over all bytes. <paramref name="digest"/> is their digest. Returns null if another request has claimed the session
    /// meanwhile.
    /// </summary>
    public async Task<SealedUpload?> SealAsync(Digest digest)
    {
        if (!await TryFlushAsync(digest))
        {
            return null;
        }

        var upload = await _calls.RepeatAsync(
            () => _session.Seal(_claim.Epoch, digest, _writer.Length, CancellationToken.None),
            CancellationToken.None);
        (_isOver, IsSealed) = (true, upload is not null);
        return upload;
    }

    /// <summary>Seals the object, after the session. Returns false if it is not whole or is sealed under another digest.</summary>
    public ValueTask<bool> SealObjectAsync(Digest digest) => _writer.SealAsync(digest, CancellationToken.None);

    /// <summary>Returns the digest of an unsealed object's first bytes; null if the object does not have them.</summary>
    public static async Task<Digest?> RehashAsync(
        IBlobStore store,
        ObjectId id,
        long length,
        DigestAlgorithm algorithm,
        Func<ValueTask> keepAlive)
    {
        await using var reader = await store.OpenUnsealedAsync(id, length, CancellationToken.None);
        if (reader is null)
        {
            return null;
        }

        if (length > 0)
        {
            reader.Expect(new ByteRange(0, length));
        }

        using var hash = RunningHash.Create(algorithm);
        var block = new byte[(int)Math.Min(RehashBlock, Math.Max(length, 1))];
        while (hash.Length < length)
        {
            var wanted = (int)Math.Min(block.Length, length - hash.Length);
            var count = await reader.ReadAsync(hash.Length, block.AsMemory(0, wanted), CancellationToken.None);
            if (count == 0)
            {
                return null;
            }

            hash.Append(block.AsSpan(0, count));
            await keepAlive();

            // Reads from the page cache never wait: without the yield this loop keeps its thread from other requests until the end.
            await Task.Yield();
        }

        return hash.ToDigest();
    }

    public async ValueTask DisposeAsync()
    {
        _hash?.Dispose();
        await _writer.DisposeAsync();
        if (_isOver)
        {
            return;
        }

        try
        {
            // A fault ended the request. The client may retry at once, without waiting for the claim to end by itself. One attempt is
            // enough, since the claim does end: repeats would hold the answer back.
            await _session.Advance(_claim.Epoch, _claim.Offset, hash: null, endClaim: true, CancellationToken.None);
        }
        catch (Exception e) when (e is PartitionUnavailableException or TimeoutException or OrleansException)
        {
            // The claim ends by itself after UploadClaim.Timeout.
        }
    }

    /// <summary>Makes the written bytes durable. Returns false if another request has claimed the session meanwhile.</summary>
    private async Task<bool> TryFlushAsync(Digest? content = null)
    {
        try
        {
            await _writer.FlushAsync(content, CancellationToken.None);
            return true;
        }
        catch (EpochFencedException)
        {
            return false;
        }
    }

    /// <summary>
    /// Begins the running hash, or goes on with that of the request before; null if it is lost. Where the bytes cannot be read back, its
    /// state goes into the session's row, since the next request may come to another gateway.
    /// </summary>
    private RunningHash? BeginHash()
    {
        if (_claim.Offset == 0)
        {
            return _store.ReadsUnsealed ? RunningHash.Create(_id.Algorithm) : ResumableHash.Create(_id.Algorithm);
        }

        return _claim.Hash is { } state ? ResumableHash.Resume(state) : _hashes.Take(_id, _claim.Offset);
    }

    private ValueTask KeepAliveAsync() =>
        _time.GetElapsedTime(_renewed) < UploadClaim.RenewalInterval ? ValueTask.CompletedTask : RenewAsync();

    private async ValueTask RenewAsync()
    {
        _renewed = _time.GetTimestamp();
        if (!await _calls.RepeatAsync(() => _session.Renew(_claim.Epoch, CancellationToken.None), CancellationToken.None))
        {
            throw new EpochFencedException(Object, _claim.Epoch);
        }
    }
}
