using Granary.Protocol.Units;
using Granary.Storage.Space;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Granary.Silo.Hosting.Health;

/// <summary>Healthy if the free space above the reserve suffices for pushes; else degraded, because pulls still work.</summary>
internal sealed class PushCheck(IFreeSpace space) : IHealthCheck
{
    /// <inheritdoc/>
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        var report = space.GetReport();
        return Task.FromResult(report.AcceptsPushes
            ? HealthCheckResult.Healthy()
            : HealthCheckResult.Degraded(Explain(report)));
    }

    private static string Explain(SpaceReport report) =>
        $"{ByteText.Of(report.Free)} are free and {ByteText.Of(report.Reserve)} are kept for deletions (storage.reserve)";
}
