using System.Buffers;
using Azure.Storage.Blobs.Specialized;
using Granary.Protocol;
using Granary.Storage.Blobs;

namespace Granary.Storage.Azure.Blobs;

/// <summary>Appends to an object under one epoch: gathers bytes in a block, and sends full blocks while the next one is filled.</summary>
internal sealed class AzureBlobWriter : IBlobWriter
{
    private readonly AzureBlobStore _store;
    private readonly BlockBlobClient _blob;
    private readonly ObjectId _id;
    private readonly long _epoch;

    // Blocks on their way, the oldest first. One that failed stays: each later call fails by it.
    private readonly Queue<Task> _sending = new();
    private readonly CancellationTokenSource _end = new();

    // All blocks of the object, if this writer has written all of it; otherwise null.
    private readonly List<Block>? _all;
    private UploadBuffer? _buffer;
    private long _pieces;
    private bool _isSealed;

    public AzureBlobWriter(AzureBlobStore store, ObjectId id, long epoch, long offset, long pieces)
    {
        (_store, _blob, _id, _epoch, Length, _pieces) = (store, store.Blob(id), id, epoch, offset, pieces);
        _all = offset == 0 ? [] : null;
    }

    /// <inheritdoc/>
    public long Length { get; private set; }

    /// <inheritdoc/>
    public async ValueTask WriteAsync(ReadOnlySequence<byte> bytes, CancellationToken cancellationToken)
    {
        while (!bytes.IsEmpty)
        {
            // A full block waits for the next byte: if none comes, it may be the whole object.
            if (_buffer is { IsFull: true })
            {
                await SendAsync();
            }

            _buffer ??= await _store.Memory.RentAsync(_store.Sizes.At(Length), cancellationToken);
            var count = _buffer.Fill(bytes);
            Length += count;
            bytes = bytes.Slice(count);
        }
    }

    /// <inheritdoc/>
    public async ValueTask FlushAsync(Digest? content, CancellationToken cancellationToken)
    {
        if (content is { } digest && _all is { Count: 0 } && await _store.TryPutAsync(_id, digest, _buffer, cancellationToken))
        {
            _isSealed = true;
            ReturnBuffer();
            return;
        }

        if (_buffer is { Length: > 0 })
        {
            await SendAsync();
        }

        while (_sending.Count > 0)
        {
            await WaitForOldestAsync();
        }
    }

    /// <inheritdoc/>
    public async ValueTask<bool> SealAsync(Digest digest, CancellationToken cancellationToken)
    {
        if (_isSealed)
        {
            return true;
        }

        return _all is null
            ? await _store.SealAsync(_id, digest, Length, cancellationToken)
            : await _store.SealAsync(_id, digest, _all, cancellationToken);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        ReturnBuffer();
        await _end.CancelAsync();
        foreach (var sending in _sending)
        {
            try
            {
                await sending;
            }
            catch (Exception e) when (e is StorageException or OperationCanceledException)
            {
                // Bytes that were not flushed may be lost.
            }
        }

        _end.Dispose();
    }

    private async ValueTask SendAsync()
    {
        if (_pieces >= _store.Options.MaxPieces)
        {
            throw new TooManyPiecesException(_id, _store.Options.MaxPieces);
        }

        while (_sending.Count >= _store.Options.BlocksInFlight)
        {
            await WaitForOldestAsync();
        }

        var buffer = _buffer!;
        var block = new Block(_epoch, Length - buffer.Length, _store.Time.GetUtcNow(), buffer.Length);
        _buffer = null;
        _pieces++;
        _all?.Add(block);
        _sending.Enqueue(StageAsync(block, buffer));
    }

    private async Task StageAsync(Block block, UploadBuffer buffer)
    {
        using (buffer)
        {
            await using var stream = buffer.OpenStream();
            await BlobFaults.CallAsync(
                $"Object {_id} cannot be written",
                () => _blob.StageBlockAsync(block.Id, stream, options: null, _end.Token),
                _end.Token);
        }
    }

    private async ValueTask WaitForOldestAsync()
    {
        var oldest = _sending.Peek();
        await oldest;
        _ = _sending.Dequeue();
    }

    private void ReturnBuffer()
    {
        _buffer?.Dispose();
        _buffer = null;
    }
}
