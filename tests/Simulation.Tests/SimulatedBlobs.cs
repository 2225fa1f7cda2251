using System.Buffers;
using Granary.Protocol;
using Granary.Storage;
using Granary.Storage.Blobs;

namespace Granary.Simulation.Tests;

/// <summary>A real blob store behind pauses and faults. It notes the objects for the checks.</summary>
internal sealed class SimulatedBlobs(World world, IBlobStore inner) : IBlobStore
{
    /// <summary>The objects, with the digests of the sealed ones.</summary>
    public Dictionary<ObjectId, Digest?> Objects { get; } = [];

    /// <summary>Whether an object was deleted since this was last set to false.</summary>
    public bool HasChanged { get; set; }

    public bool ReadsUnsealed => inner.ReadsUnsealed;

    public async ValueTask<IBlobWriter?> OpenWriterAsync(ObjectId id, long epoch, long offset, CancellationToken cancellationToken)
    {
        await PauseAsync();
        var writer = Scheduler.Outside(() => inner.OpenWriterAsync(id, epoch, offset, cancellationToken));
        if (writer is null)
        {
            return null;
        }

        Objects[id] = null;
        world.Note($"take {id}");
        return new Writer(this, writer, id);
    }

    public async ValueTask<bool> SealAsync(ObjectId id, Digest digest, long size, CancellationToken cancellationToken)
    {
        await PauseAsync();
        var isSealed = Scheduler.Outside(() => inner.SealAsync(id, digest, size, cancellationToken));
        if (isSealed)
        {
            Objects[id] = digest;
            world.Note($"seal {id}");
        }

        await PauseAsync();
        return isSealed;
    }

    public async ValueTask DeleteAsync(ObjectId id, Digest? digest, CancellationToken cancellationToken)
    {
        await PauseAsync();
        Scheduler.Outside(async () =>
        {
            await inner.DeleteAsync(id, digest, cancellationToken);
            return true;
        });

        // The name of a sealed object has its digest: a deletion without it finds nothing.
        if (Objects.TryGetValue(id, out var sealedAs) && (sealedAs is null || sealedAs == digest))
        {
            Objects.Remove(id);
            world.Note($"delete {id}");
        }

        HasChanged = true;
        await PauseAsync();
    }

    public ValueTask<IBlobReader?> OpenAsync(ObjectId id, Digest digest, ByteRange? expected, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public ValueTask<IBlobReader?> OpenUnsealedAsync(ObjectId id, long size, CancellationToken cancellationToken) =>
        throw new NotSupportedException();

    public ValueTask CheckAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    public IAsyncEnumerable<StoredObject> ListAsync(CancellationToken cancellationToken) => throw new NotSupportedException();

    private async Task PauseAsync()
    {
        await world.Scheduler.PauseAsync();
        if (world.IsWild && world.Random.NextDouble() < world.FailedCommits)
        {
            throw new StorageException(StorageFault.Unavailable, "The storage failed.");
        }
    }

    private sealed class Writer(SimulatedBlobs blobs, IBlobWriter inner, ObjectId id) : IBlobWriter
    {
        public long Length => inner.Length;

        public async ValueTask WriteAsync(ReadOnlySequence<byte> bytes, CancellationToken cancellationToken)
        {
            await blobs.PauseAsync();
            Scheduler.Outside(async () =>
            {
                await inner.WriteAsync(bytes, cancellationToken);
                return true;
            });
        }

        public async ValueTask FlushAsync(Digest? content, CancellationToken cancellationToken)
        {
            await blobs.PauseAsync();
            Scheduler.Outside(async () =>
            {
                await inner.FlushAsync(content, cancellationToken);
                return true;
            });
        }

        public ValueTask<bool> SealAsync(Digest digest, CancellationToken cancellationToken) =>
            blobs.SealAsync(id, digest, inner.Length, cancellationToken);

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
