using System.Buffers;
using System.Runtime.CompilerServices;
using Granary.Protocol;
using Granary.Storage.Blobs;

namespace Granary.Testing;

/// <summary>
/// Keeps objects in memory, for tests that make many stores. It is the smallest implementation of <see cref="IBlobStore"/>.
/// </summary>
public sealed class MemoryBlobStore(TimeProvider time) : IBlobStore
{
    private readonly Lock _lock = new();
    private readonly Dictionary<ObjectId, Stored> _objects = [];

    public bool ReadsUnsealed => true;

    public ValueTask<IBlobWriter?> OpenWriterAsync(ObjectId id, long epoch, long offset, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (!_objects.TryGetValue(id, out var stored))
            {
                if (offset > 0)
                {
                    return ValueTask.FromResult<IBlobWriter?>(null);
                }

                _objects[id] = stored = new Stored { LastWrite = time.GetUtcNow() };
            }

            if (stored.Digest is not null || stored.Length < offset)
            {
                return ValueTask.FromResult<IBlobWriter?>(null);
            }

            if (stored.Epoch > epoch)
            {
                throw new EpochFencedException(id, epoch);
            }

            (stored.Epoch, stored.Length) = (epoch, offset);
            return ValueTask.FromResult<IBlobWriter?>(new Writer(this, id, stored, epoch));
        }
    }

    public ValueTask<bool> SealAsync(ObjectId id, Digest digest, long size, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            if (!_objects.TryGetValue(id, out var stored)
                || (stored.Digest is { } other && other != digest)
                || stored.Length < size)
            {
                return ValueTask.FromResult(false);
            }

            (stored.Digest, stored.Epoch, stored.Length) = (digest, long.MaxValue, size);
            return ValueTask.FromResult(true);
        }
    }

    public ValueTask<IBlobReader?> OpenAsync(ObjectId id, Digest digest, ByteRange? expected, CancellationToken cancellationToken) =>
        Open(id, stored => stored.Digest == digest);

    public ValueTask<IBlobReader?> OpenUnsealedAsync(ObjectId id, long size, CancellationToken cancellationToken) =>
        Open(id, stored => stored.Digest is null && stored.Length >= size);

    public ValueTask DeleteAsync(ObjectId id, Digest? digest, CancellationToken cancellationToken)
    {
        lock (_lock)
        {
            // The name of a sealed file contains its digest, so other stores do not find the object under another digest either.
            if (_objects.TryGetValue(id, out var stored) && (stored.Digest is null || stored.Digest == digest))
            {
                stored.Epoch = long.MaxValue;
                _objects.Remove(id);
            }
        }

        return ValueTask.CompletedTask;
    }

    public ValueTask CheckAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public async IAsyncEnumerable<StoredObject> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        StoredObject[] all;
        lock (_lock)
        {
            all = [.. _objects.Select(pair => new StoredObject(pair.Key, pair.Value.Digest, pair.Value.Length, pair.Value.LastWrite))];
        }

        await Task.Yield();
        foreach (var stored in all)
        {
            yield return stored;
        }
    }

    private ValueTask<IBlobReader?> Open(ObjectId id, Func<Stored, bool> matches)
    {
        lock (_lock)
        {
            var reader = _objects.TryGetValue(id, out var stored) && matches(stored)
                ? new Reader(stored.Bytes.AsMemory(0, (int)stored.Length))
                : null;
            return ValueTask.FromResult<IBlobReader?>(reader);
        }
    }

    private sealed class Stored
    {
        public long Epoch { get; set; }

        public Digest? Digest { get; set; }

        public byte[] Bytes { get; set; } = [];

        public long Length { get; set; }

        public DateTimeOffset LastWrite { get; set; }
    }

    private sealed class Writer(MemoryBlobStore store, ObjectId id, Stored stored, long epoch) : IBlobWriter
    {
        public long Length { get; private set; } = stored.Length;

        public ValueTask WriteAsync(ReadOnlySequence<byte> bytes, CancellationToken cancellationToken)
        {
            lock (store._lock)
            {
                CheckEpoch();
                var grown = new byte[Length + bytes.Length];
                stored.Bytes.AsSpan(0, (int)Length).CopyTo(grown);
                bytes.CopyTo(grown.AsSpan((int)Length));
                (stored.Bytes, stored.Length, stored.LastWrite) = (grown, grown.Length, store.Now);
                Length = grown.Length;
            }

            return ValueTask.CompletedTask;
        }

        public ValueTask FlushAsync(Digest? content, CancellationToken cancellationToken)
        {
            lock (store._lock)
            {
                CheckEpoch();
            }

            return ValueTask.CompletedTask;
        }

        public ValueTask<bool> SealAsync(Digest digest, CancellationToken cancellationToken) =>
            store.SealAsync(id, digest, Length, cancellationToken);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;

        private void CheckEpoch()
        {
            if (stored.Epoch != epoch)
            {
                throw new EpochFencedException(id, epoch);
            }
        }
    }

    private DateTimeOffset Now => time.GetUtcNow();

    private sealed class Reader(ReadOnlyMemory<byte> bytes) : IBlobReader
    {
        public long Length => bytes.Length;

        public void Expect(ByteRange range)
        {
        }

        public ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
        {
            var rest = bytes[(int)Math.Min(offset, bytes.Length)..];
            var count = Math.Min(rest.Length, buffer.Length);
            rest[..count].CopyTo(buffer);
            return ValueTask.FromResult(count);
        }

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
