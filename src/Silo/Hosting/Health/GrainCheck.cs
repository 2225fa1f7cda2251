using Granary.Grains.Interfaces.Cluster;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Granary.Silo.Hosting.Health;

/// <summary>Healthy if a grain answers a call.</summary>
internal sealed class GrainCheck(IGrainFactory grains) : IHealthCheck
{
    /// <inheritdoc/>
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        await grains.GetGrain<IClusterGrain>(0).Ping(cancellationToken);
        return HealthCheckResult.Healthy();
    }
}
