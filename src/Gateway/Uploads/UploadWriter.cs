using Granary.Gateway.Transfer;
using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Uploads;
using Granary.Protocol;
using Granary.Storage.Blobs;
using Granary.Storage.Space;

namespace Granary.Gateway.Uploads;

/// <summary>What became of the wish to write to a session.</summary>
internal abstract record ClaimAnswer
{
    private ClaimAnswer()
    {
    }

    /// <summary>The caller holds the tail, and disposes it.</summary>
    public sealed record Held(UploadWriter Tail) : ClaimAnswer;

    /// <summary>The bytes do not start where the session ends, which is at <paramref name="Offset"/>, or another request is writing.</summary>
    public sealed record Elsewhere(long Offset) : ClaimAnswer;

    /// <summary>The session is over.</summary>
    public sealed record Over : ClaimAnswer;
}

/// <summary>
/// One request's hold on the tail of an upload: the epoch that the session's grain gave it, and the writer that the store opened under that epoch
/// (docs/architecture.md, "Bytes"). <see cref="AdvanceAsync"/>, <see cref="LetGoAsync"/> or <see cref="SealAsync"/> ends the hold; where a fault kept it from being ended, disposing does.
/// </summary>
internal sealed class UploadWriter : IAsyncDisposable
{
    private const int RehashBlock = 128 * 1024;

    private readonly UploadId _id;
    private readonly UploadBegun _hold;
    private readonly IUploadSessionGrain _session;
    private readonly IBlobStore _store;
    private readonly IBlobWriter _writer;
    private readonly RunningHashCache _parked;
    private readonly TimeProvider _time;
    private RunningHash? _hash;
    private long _renewed;
    private bool _isOver;

    public UploadWriter(
        UploadId id,
        UploadBegun hold,
        IUploadSessionGrain session,
        IBlobStore store,
        IBlobWriter writer,
        RunningHashCache parked,
        TimeProvider time)
    {
        (_id, _hold, _session, _store, _writer, _parked, _time) = (id, hold, session, store, writer, parked, time);
        _hash = hold.Offset == 0 ? new RunningHash(id.Algorithm) : parked.Take(id, hold.Offset);
        _renewed = time.GetTimestamp();
    }

    /// <summary>How many bytes were there when the hold began.</summary>
    public long Start => _hold.Offset;

    /// <summary>How many bytes are there now.</summary>
    public long Length => _writer.Length;

    /// <summary>The object.</summary>
    public ObjectId Object => _hold.Object;

    /// <summary>Whether the session was closed over its content: then only Renounce decides about the object.</summary>
    public bool IsSealed { get; private set; }

    /// <summary>Appends a request's body; false if it is longer than <paramref name="maxBytes"/>.</summary>
    /// <exception cref="BrokenBodyException">The client stopped. What arrived is there.</exception>
    /// <exception cref="EpochFencedException">Another request has taken the tail.</exception>
    /// <exception cref="OutOfSpaceException">There is no more room.</exception>
    public Task<bool> ReceiveAsync(RequestBody body, SpaceAllowance space, long maxBytes) =>
        BlobReceiver.ReceiveAsync(body, _writer, _hash, space, maxBytes, KeepAliveAsync);

    /// <summary>Ends the hold; what was received counts. False if another request has taken the tail meanwhile.</summary>
    public async Task<bool> AdvanceAsync()
    {
        try
        {
            await _writer.FlushAsync(CancellationToken.None);
        }
        catch (EpochFencedException)
        {
            return false;
        }

        var isCounted = await GrainCalls.RetryOnceAsync(() => _session.Advance(_hold.Epoch, _writer.Length, endClaim: true, CancellationToken.None));
        _isOver = true;
        if (!isCounted)
        {
            return false;
        }

        if (_hash is { } hash)
        {
            _hash = null;
            _parked.Park(_id, hash);
        }

        return true;
    }

    /// <summary>Ends the hold without a word: the session is given up.</summary>
    public void Abandon() => _isOver = true;

    /// <summary>Ends the hold; what was received does not count.</summary>
    public async Task LetGoAsync()
    {
        _isOver = true;
        await GrainCalls.RetryOnceAsync(() => _session.Advance(_hold.Epoch, _hold.Offset, endClaim: true, CancellationToken.None));
    }

    /// <summary>The digest of the whole content; what was not hashed on its way here is read back.</summary>
    public async Task<Digest?> HashAsync(DigestAlgorithm algorithm)
    {
        if (_hash is { } hash && hash.Algorithm == algorithm && hash.Length == _writer.Length)
        {
            return hash.ToDigest();
        }

        return await RehashAsync(_store, Object, _writer.Length, algorithm, KeepAliveAsync);
    }

    /// <summary>Closes the session over its content; null if another request has taken the tail meanwhile.</summary>
    public async Task<SealedUpload?> SealAsync(Digest digest)
    {
        try
        {
            await _writer.FlushAsync(CancellationToken.None);
        }
        catch (EpochFencedException)
        {
            return null;
        }

        var upload = await GrainCalls.RetryOnceAsync(() => _session.Seal(_hold.Epoch, digest, _writer.Length, CancellationToken.None));
        (_isOver, IsSealed) = (true, upload is not null);
        return upload;
    }

    /// <summary>Hashes the first bytes of an object that is not sealed; null if they are gone.</summary>
    public static async Task<Digest?> RehashAsync(IBlobStore store, ObjectId id, long length, DigestAlgorithm algorithm, Func<ValueTask> keepAlive)
    {
        await using var reader = await store.OpenUnsealedAsync(id, CancellationToken.None);
        if (reader is null)
        {
            return null;
        }

        using var hash = new RunningHash(algorithm);
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

            // Nothing here waits when the page cache has the object: other requests get their turn.
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
            // The storage failed: the client may try again at once, and not only when the hold has run out.
            await LetGoAsync();
        }
        catch (Exception e) when (e is PartitionUnavailableException or TimeoutException or OrleansException)
        {
            // Then it does run out.
        }
    }

    private ValueTask KeepAliveAsync() => _time.GetElapsedTime(_renewed) < UploadClaim.RenewalInterval ? ValueTask.CompletedTask : RenewAsync();

    private async ValueTask RenewAsync()
    {
        _renewed = _time.GetTimestamp();
        if (!await GrainCalls.RetryOnceAsync(() => _session.Renew(_hold.Epoch, CancellationToken.None)))
        {
            throw new EpochFencedException(Object, _hold.Epoch);
        }
    }
}
