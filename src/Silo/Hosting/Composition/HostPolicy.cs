using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Granary.Silo.Hosting.Composition;

/// <summary>Configures the host: it ignores signals, and it stops when a background service fails.</summary>
internal static class HostPolicy
{
    public static IServiceCollection AddHostPolicy(this IServiceCollection services)
    {
        // The host's own lifetime handles signals. The program does that itself, and in a test they are not for the server.
        services.Replace(ServiceDescriptor.Singleton<IHostLifetime, NoLifetime>());
        return services.Configure<HostOptions>(options =>
        {
            options.ShutdownTimeout = Shutdown.RestTimeout;

            // A server without collections and operations would seem to run while its disk fills. It stops instead, and systemd or
            // Kubernetes starts it again.
            options.BackgroundServiceExceptionBehavior = BackgroundServiceExceptionBehavior.StopHost;
        });
    }

    /// <summary>Leaves starting and stopping to the code that owns the server.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
