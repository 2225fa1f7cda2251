using System.Buffers;
using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;

namespace Granary.Gateway.Transfer;

/// <summary>
/// The memory of connections, in blocks of 68 KiB: the web server reads from a socket into one block, so its own blocks of 4 KiB cost a system call for every
/// 2 to 4 KiB of a layer. A connection that waits for a request holds none. Blocks that come back are kept up to a bound and then left to the collector.
/// </summary>
internal sealed class BlockPool : MemoryPool<byte>, IMemoryPoolFactory<byte>
{
    // The headers of an answer and 64 KiB of a blob: one that asks for pieces of that size gets each in one send.
    private const int BlockSize = 68 * 1024;

    // 34 MiB: what a few hundred busy connections use.
    private const int MaxKept = 512;

    private readonly ConcurrentQueue<Block> _kept = new();
    private int _count;

    public override int MaxBufferSize => BlockSize;

    public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockSize);
        if (_kept.TryDequeue(out var block))
        {
            Interlocked.Decrement(ref _count);
            block.Lend();
            return block;
        }

        return new Block(this);
    }

    /// <summary>All listeners share the blocks.</summary>
    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => this;

    protected override void Dispose(bool disposing)
    {
        // A listener disposes of its pool when it stops; others may go on.
    }

    private void Return(Block block)
    {
        if (Interlocked.Increment(ref _count) <= MaxKept)
        {
            _kept.Enqueue(block);
        }
        else
        {
            Interlocked.Decrement(ref _count);
        }
    }

    private sealed class Block(BlockPool pool) : IMemoryOwner<byte>
    {
        // Pinned for ever: the socket reads into it.
        private readonly byte[] _bytes = GC.AllocateUninitializedArray<byte>(BlockSize, pinned: true);
        private int _lent = 1;

        public Memory<byte> Memory => MemoryMarshal.CreateFromPinnedArray(_bytes, 0, BlockSize);

        public void Lend() => _lent = 1;

        public void Dispose()
        {
            // Twice would lend it to two.
            if (Interlocked.Exchange(ref _lent, 0) == 1)
            {
                pool.Return(this);
            }
        }
    }
}
