namespace Granary.Storage.Azure.Blobs;

/// <summary>
/// The sizes of blocks. They grow with the offset, so that 50,000 blocks hold 2.5 TiB and leave room for 30,000 short ones: each flush ends
/// a block.
/// </summary>
internal sealed class BlockSizes(int smallest)
{
    private const long Gibibyte = 1L << 30;

    // From which offset on blocks have how many times the smallest size.
    private static readonly (long From, int Factor)[] Steps = [(0, 1), (20 * Gibibyte, 2), (80 * Gibibyte, 16)];

    /// <summary>Returns the size of a block that begins at an offset.</summary>
    public int At(long offset) => smallest * Steps.Last(step => step.From <= offset).Factor;

    /// <summary>Returns how many blocks an object of a size has at most, if as many flushes ended one.</summary>
    public long MaxPieces(long size, long flushes)
    {
        var pieces = flushes;
        for (var i = 0; i < Steps.Length && Steps[i].From < size; i++)
        {
            var end = i + 1 < Steps.Length ? Math.Min(size, Steps[i + 1].From) : size;
            pieces += (end - Steps[i].From + At(Steps[i].From) - 1) / At(Steps[i].From);
        }

        return pieces;
    }
}
