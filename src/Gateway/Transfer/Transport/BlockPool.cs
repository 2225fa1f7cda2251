using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;

namespace Granary.Gateway.Transfer.Transport;

/// <summary>
/// The memory of connections, in blocks of two sizes. The web server receives into small blocks and sends layers from large ones. An idle
/// connection holds none. Returned blocks are kept up to a bound; the garbage collector frees the others.
/// <para>
/// What it brings: the web server's own blocks of 4 KiB cost a system call for each 2 to 4 KiB of an upload. Layers sent from 512 KiB cost
/// half the CPU of 64 KiB for each GB. New large blocks for each of 50 downloads would cost a third more CPU, and a storm of pulls with
/// this pool and other bounds on memory takes 205 instead of 238 MB (docs/performance.md).
/// </para>
/// </summary>
internal sealed class BlockPool : MemoryPool<byte>, IMemoryPoolFactory<byte>
{
    /// <summary>The size of a large block: one send of a layer, with the headers before the first.</summary>
    public const int LargeBlockSize = 512 * 1024;

    // The headers of an answer and 64 KiB of a blob: a client that asks for ranges of that size gets each in one send. All kept blocks are
    // 34 MiB, as much as a few hundred busy connections use.
    private readonly BlocksOfOneSize _small = new(68 * 1024, maxKept: 512);

    // 24 MiB: as much as fifty parallel downloads of layers need.
    private readonly BlocksOfOneSize _large = new(LargeBlockSize, maxKept: 48);

    public override int MaxBufferSize => _large.BlockSize;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, MaxBufferSize);
        return (minBufferSize <= _small.BlockSize ? _small : _large).Rent();
    }

    /// <summary>Returns this pool: all listeners share its blocks.</summary>
    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => this;

    protected override void Dispose(bool disposing)
    {
        // A listener disposes its pool when it stops. Other listeners may still use the blocks.
    }

    /// <summary>Keeps the free blocks of one size.</summary>
    private sealed class BlocksOfOneSize(int blockSize, int maxKept)
    {
        private readonly ConcurrentQueue<Block> _kept = new();
        private int _count;

        public int BlockSize => blockSize;

        public Block Rent()
        {
            if (!_kept.TryDequeue(out var block))
            {
                return new Block(this);
            }

            Interlocked.Decrement(ref _count);
            block.Lend();
            return block;
        }

        public void Return(Block block)
        {
            if (Interlocked.Increment(ref _count) <= maxKept)
            {
                _kept.Enqueue(block);
            }
            else
            {
                Interlocked.Decrement(ref _count);
            }
        }
    }

    private sealed class Block(BlocksOfOneSize owner) : IMemoryOwner<byte>
    {
        // Pinned for its whole life, because the socket reads into it.
        private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(owner.BlockSize, pinned: true);
        private int _lent = 1;

        public Memory<byte> Memory => MemoryMarshal.CreateFromPinnedArray(_bytes, 0, _bytes.Length);

        public void Lend() => _lent = 1;

        public void Dispose()
        {
            // A block that is disposed twice must not be lent to two connections.
            if (Interlocked.Exchange(ref _lent, 0) == 1)
            {
                owner.Return(this);
            }
        }
    }
}
