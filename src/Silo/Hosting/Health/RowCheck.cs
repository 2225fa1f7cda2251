using Granary.Storage.Partitions;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Granary.Silo.Hosting.Health;

/// <summary>Healthy if the partition store can be read.</summary>
internal sealed class RowCheck(IPartitionStore store) : IHealthCheck
{
    // Every registry has this partition.
    private static readonly PartitionKey Partition = new("cluster");

    /// <inheritdoc/>
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        await store.OpenAsync(Partition, cancellationToken);
        return HealthCheckResult.Healthy();
    }
}
