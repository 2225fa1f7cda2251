using System.Net;
using System.Net.Sockets;
using Granary.Grains;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Orleans.Configuration;
using Orleans.Statistics;
using Polly;

namespace Granary.Silo.Hosting;

/// <summary>A cluster of one: no membership to keep, no gateway for clients, and nobody else may connect.</summary>
internal static class EmbeddedCluster
{
    public static void Configure(ISiloBuilder silo, Guid clusterId)
    {
        silo.UseLocalhostClustering(FreePort(), gatewayPort: 0, serviceId: "granary", clusterId: clusterId.ToString("N"));
        silo.Configure<EndpointOptions>(options =>
        {
            options.AdvertisedIPAddress = IPAddress.Loopback;
            options.SiloListeningEndpoint = new IPEndPoint(IPAddress.Loopback, options.SiloPort);
        });

        // The port is open to every user of the machine and has no authentication: whoever connects is not of this cluster.
        silo.Configure<SiloConnectionOptions>(options => options.ConfigureSiloInboundConnection(connection => connection.Use(_ => context =>
        {
            context.Abort();
            return Task.CompletedTask;
        })));
        silo.Services.Replace(ServiceDescriptor.Singleton<IEnvironmentStatisticsProvider, NoEnvironmentStatistics>());

        // Once a second, each silo tells the others of a cluster how busy it is, so that they place grains by it. Here there is no other.
        silo.Configure<DeploymentLoadPublisherOptions>(options => options.DeploymentLoadPublisherRefreshTime = TimeSpan.Zero);

        // Without one, the pipeline through which each grain is placed comes with Polly's telemetry: nobody reads it, and it brings a client for HTTP with it.
        silo.Services.Replace(ServiceDescriptor.Transient<ResiliencePipelineBuilder, ResiliencePipelineBuilder>());
        silo.AddGranaryGrains();
    }

    /// <summary>A fixed port would keep a second server from starting on the same machine.</summary>
    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
