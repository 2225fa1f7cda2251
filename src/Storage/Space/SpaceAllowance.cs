namespace Granary.Storage.Space;

/// <summary>The part of the free space above the reserve that one push may use. Not thread-safe: one request uses it.</summary>
public abstract class SpaceAllowance : IDisposable
{
    /// <summary>
    /// Allots room so that the push may write <paramref name="bytes"/> in all, before it writes them. The push calls this for each block,
    /// so most calls are one comparison.
    /// </summary>
    /// <exception cref="OutOfSpaceException">The free space above the reserve is too small.</exception>
    public abstract void Cover(long bytes);

    /// <summary>Returns the unused room.</summary>
    public abstract void Dispose();
}
