using Granary.Silo.Configuration;

namespace Granary.Silo.Hosting.Health;

/// <summary>Registers the health checks and the endpoints that run them.</summary>
internal static class HealthServices
{
    public static IServiceCollection AddGranaryHealth(this IServiceCollection services, ServerRole role)
    {
        var checks = services.AddHealthChecks();

        // A silo that has started is ready, whatever the storage does: the cluster decides by probes of its own who takes part, and a
        // check that fails in all silos at once would take all of them away.
        if (role != ServerRole.Silo)
        {
            checks.AddCheck<GrainCheck>("grains")
                .AddCheck<PushCheck>("pushes")
                .AddCheck<BlobStoreCheck>("blobs");
        }

        if (role == ServerRole.AllInOne)
        {
            checks.AddCheck<RowCheck>("rows");
        }

        return services.AddSingleton<HealthEndpoints>();
    }
}
