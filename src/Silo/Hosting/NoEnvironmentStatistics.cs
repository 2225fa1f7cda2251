using Orleans.Statistics;

namespace Granary.Silo.Hosting;

/// <summary>
/// What the silos of a cluster tell each other of their processors and memory. In a cluster of one nobody chooses by it, and measuring it is a listener to the events of the
/// runtime that wakes every second, and a garbage collection at the start.
/// </summary>
internal sealed class NoEnvironmentStatistics : IEnvironmentStatisticsProvider
{
    /// <inheritdoc/>
    public EnvironmentStatistics GetEnvironmentStatistics() => default;
}
