namespace Granary.Storage.Space;

/// <summary>
/// Says whether the storage has room for what clients push. Deletions, cancellations and collections never ask: they need a little room
/// to free a lot. A storage without a notion of free space is <see cref="UnlimitedSpace"/>.
/// </summary>
public interface IFreeSpace
{
    /// <summary>Allots room to one push, which disposes the allowance when it has ended.</summary>
    /// <param name="bytes">How many bytes the push brings; 0 if that is not known. All of them are allotted at once.</param>
    /// <exception cref="OutOfSpaceException">There is no room for them above the reserve.</exception>
    SpaceAllowance Allow(long bytes);

    /// <summary>Returns how much room there is now.</summary>
    SpaceReport Look();
}

/// <summary>The part of the free space that one push may use. Not thread safe: one request has it.</summary>
public abstract class SpaceAllowance : IDisposable
{
    /// <summary>
    /// Makes sure that the push may write up to <paramref name="bytes"/> in all, before it writes them. Called for each block: mostly one
    /// comparison.
    /// </summary>
    /// <exception cref="OutOfSpaceException">There is no more room above the reserve.</exception>
    public abstract void Cover(long bytes);

    /// <summary>Gives back what was not used.</summary>
    public abstract void Dispose();
}

/// <summary>How much room there is.</summary>
/// <param name="Free">Bytes that are free on the file system.</param>
/// <param name="Reserve">Bytes that pushes may not use.</param>
/// <param name="Available">Bytes that pushes may use; 0 if there are none.</param>
/// <param name="AcceptsPushes">Whether pushes of ordinary size are accepted.</param>
public sealed record SpaceReport(long Free, long Reserve, long Available, bool AcceptsPushes);

/// <summary>There is no room for a push above the reserve. The message is for the client and the operator.</summary>
public sealed class OutOfSpaceException(string message) : StorageException(StorageFault.Full, message);

/// <summary>A storage that never refuses for want of room before it is tried.</summary>
public sealed class UnlimitedSpace : IFreeSpace
{
    private static readonly SpaceReport Report = new(long.MaxValue, Reserve: 0, long.MaxValue, AcceptsPushes: true);

    private UnlimitedSpace()
    {
    }

    /// <summary>The only one.</summary>
    public static UnlimitedSpace Instance { get; } = new();

    /// <summary>An allowance without an end.</summary>
    public static SpaceAllowance Allowance { get; } = new Unlimited();

    /// <inheritdoc/>
    public SpaceAllowance Allow(long bytes) => Allowance;

    /// <inheritdoc/>
    public SpaceReport Look() => Report;

    private sealed class Unlimited : SpaceAllowance
    {
        public override void Cover(long bytes)
        {
        }

        public override void Dispose()
        {
        }
    }
}
