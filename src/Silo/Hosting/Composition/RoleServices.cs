using System.Net;
using System.Runtime.CompilerServices;
using Granary.Clustering;
using Granary.Grains;
using Granary.Silo.Configuration;
using Granary.Silo.Hosting.Cluster;
using Granary.Silo.Hosting.Storage;

namespace Granary.Silo.Hosting.Composition;

/// <summary>Registers what the role of a process needs: a silo with its background work, or the client of a cluster.</summary>
internal static class RoleServices
{
    public static void AddRole(this WebApplicationBuilder builder, GranarySettings settings, IServerStorage storage, TimeProvider time)
    {
        switch (settings.Server.Role)
        {
            case ServerRole.AllInOne:
                builder.UseOrleans(silo => EmbeddedCluster.Configure(silo, storage.ClusterId));
                break;

            case ServerRole.Silo:
                AddSilo(builder, settings, storage);
                break;

            default:
                AddGateway(builder, settings, storage, time);
                return;
        }

        // After the silo: hosted services start in this order and stop in the reverse one. A worker that started first would call grains
        // of a silo that does not run yet, and log an error on each start of a slow machine.
        builder.Services.AddGranaryMaintenance();
    }

    // Methods of their own, so that a server without a cluster does not load the assemblies of Azure.
    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void AddSilo(WebApplicationBuilder builder, GranarySettings settings, IServerStorage storage) =>
        builder.UseOrleans(silo =>
        {
            AccountCluster.Configure(silo, settings.Cluster, Address(settings.Cluster), ((AccountStorage)storage).Tables);
            silo.AddGranaryGrains();
        });

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void AddGateway(WebApplicationBuilder builder, GranarySettings settings, IServerStorage storage, TimeProvider time)
    {
        builder.UseOrleansClient(client => AccountCluster.Configure(client, settings.Cluster, ((AccountStorage)storage).Tables, time));

        // The client waits for the first silo. The web server answers /healthz and /readyz meanwhile.
        builder.Services.Configure<HostOptions>(options => options.ServicesStartConcurrently = true);
    }

    private static IPAddress Address(ClusterOptions settings) =>
        (settings.Address.Length == 0 ? AccountCluster.FirstAddress() : IPAddress.Parse(settings.Address))
        ?? throw new SettingsException(
            "cluster.address: this machine has no address that other processes can reach. Set the address at which they reach this silo, " +
            "with --cluster.address or GRANARY_CLUSTER__ADDRESS.");
}
