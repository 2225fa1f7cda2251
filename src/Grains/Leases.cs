namespace Granary.Grains;

/// <summary>How long a lease lasts. Each yes makes the next one 8 times longer: asking costs little for what is old.</summary>
internal static class Leases
{
    private const double Growth = 8;

    /// <summary>The length of a lease that was affirmed so often.</summary>
    /// <param name="affirmed">How often its holder said yes.</param>
    /// <param name="salt">Anything of the holder: what began together shall not be asked about together for ever.</param>
    /// <param name="lifetimes">The length of the first.</param>
    public static TimeSpan Length(int affirmed, char salt, LifetimeOptions lifetimes)
    {
        var lease = lifetimes.FirstLease * Math.Pow(Growth, Math.Min(affirmed, 16));
        return (lease < LifetimeOptions.MaxLease ? lease : LifetimeOptions.MaxLease) * (0.9 + (salt % 16 / 80.0));
    }
}
