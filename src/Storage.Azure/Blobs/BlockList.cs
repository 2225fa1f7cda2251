using ServiceBlockList = Azure.Storage.Blobs.Models.BlockList;

namespace Granary.Storage.Azure.Blobs;

/// <summary>
/// The blocks of one object. The service cannot stop an old writer, so blocks that do not count lie among those that do: the object is
/// the chain of blocks from 0 on that takes, at each position, the block of the highest epoch.
/// </summary>
/// <remarks>
/// The chain is right because the offset of a session never falls. A later epoch begins at or behind what an earlier one counted, so no
/// block of a later epoch lies at a position that an earlier epoch counted, and a block that was never counted lies behind the sealed
/// size, or at a position where the epoch that counted is higher.
/// </remarks>
internal sealed class BlockList
{
    private readonly List<Block> _blocks;

    public BlockList(IEnumerable<Block> blocks, bool hasCommitted = false) => (_blocks, HasCommitted) = ([.. blocks], hasCommitted);

    /// <summary>Whether blocks are committed: the object is sealed, or an unsealed one was read.</summary>
    public bool HasCommitted { get; }

    /// <summary>When the newest block was staged; null if there is none.</summary>
    public DateTimeOffset? LastWrite => _blocks.Count == 0 ? null : _blocks.Max(block => block.StagedAt);

    /// <summary>Returns the blocks that the service lists.</summary>
    public static BlockList Of(ServiceBlockList list) => new(
        from block in list.CommittedBlocks.Concat(list.UncommittedBlocks)
        let parsed = Block.Parse(block.Name, block.SizeLong)
        where parsed is not null
        select parsed.Value,
        list.CommittedBlocks.Any());

    /// <summary>Returns the chain of exactly <paramref name="size"/> bytes; null if blocks are missing.</summary>
    public IReadOnlyList<Block>? FindChain(long size)
    {
        var chain = LongestChain(size);
        return (chain.Count == 0 ? 0 : chain[^1].End) == size ? chain : null;
    }

    /// <summary>Returns the chain as far as blocks follow one another, and not beyond <paramref name="size"/> bytes.</summary>
    public IReadOnlyList<Block> LongestChain(long size = long.MaxValue)
    {
        var newest = new Dictionary<long, Block>();
        foreach (var block in _blocks)
        {
            if (!newest.TryGetValue(block.Offset, out var other) || other.Epoch < block.Epoch)
            {
                newest[block.Offset] = block;
            }
        }

        var chain = new List<Block>();
        for (var end = 0L; end < size && newest.TryGetValue(end, out var next) && next.Length > 0; end = next.End)
        {
            chain.Add(next);
        }

        return chain;
    }
}
