using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;

namespace Granary.Gateway.Transfer;

/// <summary>
/// The memory of connections, in blocks of two sizes. What is received goes into small ones: the web server reads from a socket into one block, so its own blocks of 4 KiB cost a system call for
/// every 2 to 4 KiB of a layer. Layers are sent from large ones. A connection that waits for a request holds none. Blocks that come back are kept up to a bound and then left to the collector.
/// </summary>
internal sealed class BlockPool : MemoryPool<byte>, IMemoryPoolFactory<byte>
{
    /// <summary>What a piece of a layer is sent from, with the headers before the first.</summary>
    public const int LargeBlockSize = 512 * 1024;

    // The headers of an answer and 64 KiB of a blob: one that asks for pieces of that size gets each in one send. 34 MiB: what a few hundred busy connections use.
    private readonly Shelf _small = new(68 * 1024, maxKept: 512);

    // 24 MiB: what fifty layers need that are sent at once. Making them anew costs a third more CPU.
    private readonly Shelf _large = new(LargeBlockSize, maxKept: 48);

    public override int MaxBufferSize => _large.BlockSize;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, MaxBufferSize);
        return (minBufferSize <= _small.BlockSize ? _small : _large).Rent();
    }

    /// <summary>All listeners share the blocks.</summary>
    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => this;

    protected override void Dispose(bool disposing)
    {
        // A listener disposes of its pool when it stops; others may go on.
    }

    /// <summary>The blocks of one size.</summary>
    private sealed class Shelf(int blockSize, int maxKept)
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

    private sealed class Block(Shelf shelf) : IMemoryOwner<byte>
    {
        // Pinned for ever: the socket reads into it.
        private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(shelf.BlockSize, pinned: true);
        private int _lent = 1;

        public Memory<byte> Memory => MemoryMarshal.CreateFromPinnedArray(_bytes, 0, _bytes.Length);

        public void Lend() => _lent = 1;

        public void Dispose()
        {
            // Twice would lend it to two.
            if (Interlocked.Exchange(ref _lent, 0) == 1)
            {
                shelf.Return(this);
            }
        }
    }
}
