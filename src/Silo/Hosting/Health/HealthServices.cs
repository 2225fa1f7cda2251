namespace Granary.Silo.Hosting.Health;

/// <summary>Registers the health checks and the endpoints that run them.</summary>
internal static class HealthServices
{
    public static IServiceCollection AddGranaryHealth(this IServiceCollection services)
    {
        services.AddHealthChecks()
            .AddCheck<GrainCheck>("grains")
            .AddCheck<RowCheck>("rows")
            .AddCheck<PushCheck>("pushes")
            .AddCheck<BlobStoreCheck>("blobs");
        return services.AddSingleton<HealthEndpoints>();
    }
}
