using Orleans.Statistics;

namespace Granary.Silo.Hosting;

/// <summary>
/// Reports no processor and memory statistics. Silos of a cluster place grains by them; a cluster of one silo does not. Orleans' own
/// measurement wakes every second for the runtime's events, and forces a garbage collection at the start.
/// </summary>
internal sealed class NoEnvironmentStatistics : IEnvironmentStatisticsProvider
{
    /// <inheritdoc/>
    public EnvironmentStatistics GetEnvironmentStatistics() => default;
}
