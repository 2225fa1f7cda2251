using System.Net;
using System.Net.Sockets;
using Granary.Grains;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Orleans.Configuration;
using Orleans.Statistics;
using Polly;

namespace Granary.Silo.Hosting.Cluster;

/// <summary>A cluster of one silo: without membership, without a gateway for clients, and closed to connections.</summary>
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

        // Every user of the machine can connect to the port, and it has no authentication. No connection is of this cluster: there is
        // no other silo.
        silo.Configure<SiloConnectionOptions>(options => options.ConfigureSiloInboundConnection(connection => connection.Use(_ => context =>
        {
            context.Abort();
            return Task.CompletedTask;
        })));
        silo.Services.Replace(ServiceDescriptor.Singleton<IEnvironmentStatisticsProvider, NoEnvironmentStatistics>());

        // Once a second, a silo reports its load to the other silos of a cluster, which place grains by it. Here is no other silo.
        silo.Configure<DeploymentLoadPublisherOptions>(options => options.DeploymentLoadPublisherRefreshTime = TimeSpan.Zero);

        // Orleans places each grain through a pipeline of Polly. By default that pipeline has Polly's telemetry, which nothing reads and
        // which loads an HTTP client.
        silo.Services.Replace(ServiceDescriptor.Transient<ResiliencePipelineBuilder, ResiliencePipelineBuilder>());
        silo.AddGranaryGrains();
    }

    /// <summary>Returns a free port. A fixed one would keep a second server from starting on the same machine.</summary>
    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
