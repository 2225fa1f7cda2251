namespace Granary.Storage.Space;

/// <summary>
/// Allots free space to pushes. Deletions, cancellations and collections never ask: they need a little room to free much. A storage
/// without a notion of free space has <see cref="UnlimitedSpace"/>.
/// </summary>
public interface IFreeSpace
{
    /// <summary>Allots room to one push. The push disposes the allowance when it ends.</summary>
    /// <param name="bytes">The bytes that the push brings, all of which are allotted at once; 0 if their number is not known.</param>
    /// <exception cref="OutOfSpaceException">The free space above the reserve is too small.</exception>
    SpaceAllowance Allow(long bytes);

    /// <summary>Measures the free space.</summary>
    SpaceReport GetReport();
}
