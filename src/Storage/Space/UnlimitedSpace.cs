namespace Granary.Storage.Space;

/// <summary>The free space of a storage that has no notion of it. It never refuses a push in advance.</summary>
public sealed class UnlimitedSpace : IFreeSpace
{
    private static readonly SpaceReport Report = new(long.MaxValue, Reserve: 0, long.MaxValue, AcceptsPushes: true);

    private UnlimitedSpace()
    {
    }

    /// <summary>The only instance.</summary>
    public static UnlimitedSpace Instance { get; } = new();

    /// <summary>An allowance without a limit.</summary>
    public static SpaceAllowance Allowance { get; } = new Unlimited();

    /// <inheritdoc/>
    public SpaceAllowance Allow(long bytes) => Allowance;

    /// <inheritdoc/>
    public SpaceReport GetReport() => Report;

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
