using Granary.Storage;
using Granary.Storage.Blobs;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Granary.Silo.Hosting.Health;

/// <summary>Healthy if the blob store takes bytes; degraded if the disk is full or read-only, because pulls still work.</summary>
internal sealed class BlobStoreCheck(IBlobStore store) : IHealthCheck
{
    /// <inheritdoc/>
    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            await store.CheckAsync(cancellationToken);
            return HealthCheckResult.Healthy();
        }
        catch (StorageException e) when (e.Fault is StorageFault.Full or StorageFault.ReadOnly)
        {
            return HealthCheckResult.Degraded(e.Fault == StorageFault.Full ? "the disk is full" : "the disk is read-only");
        }
    }
}
