using System.Net;
using System.Net.Sockets;
using Azure.Data.Tables;
using Orleans.Configuration;
using OrleansClusterOptions = Orleans.Configuration.ClusterOptions;

namespace Granary.Clustering;

/// <summary>
/// A cluster of silos and gateways whose membership is a table of the storage account. Every value here is chosen for the registry: with
/// the framework's own it takes up to 31 seconds until the others notice that a silo is gone, and up to a minute if it is frozen (ADR 18).
/// </summary>
public static class AccountCluster
{
    /// <summary>The name of the service. It is the same in every cluster, since the rows do not depend on it.</summary>
    private const string ServiceId = "granary";

    // The probes that a silo may miss, and the silos that have to agree that it is gone. An indirect probe brings two votes at once.
    private const int MissedProbes = 3;
    private const int Votes = 2;

    // A silo whose heartbeat in the table is older than this many periods has no vote. With a minute of frozen storage it still has.
    private const int MissedHeartbeats = 12;

    // How often a silo reads the membership and writes its heartbeat. A frozen silo that wakes up learns here that it was voted out.
    private static readonly TimeSpan Heartbeat = TimeSpan.FromSeconds(5);

    // A processor that is throttled and a collection of memory may take longer than a probe adapts to.
    private static readonly TimeSpan ShortestProbe = TimeSpan.FromSeconds(1);

    // A gateway calls a frozen silo until it reads that it is gone.
    private static readonly TimeSpan GatewayRefresh = TimeSpan.FromSeconds(2);

    // Each replaced silo leaves a row.
    private static readonly TimeSpan DefunctSilos = TimeSpan.FromDays(1);

    /// <summary>Configures a silo.</summary>
    /// <param name="silo">The silo.</param>
    /// <param name="settings">The settings of the cluster.</param>
    /// <param name="address">The address at which other processes reach the silo.</param>
    /// <param name="tables">The tables of the account.</param>
    public static void Configure(ISiloBuilder silo, ClusterOptions settings, IPAddress address, TableServiceClient tables)
    {
        silo.Configure<OrleansClusterOptions>(options => Name(options, settings));
        silo.UseAzureStorageClustering(options => options.TableServiceClient = tables);
        silo.Configure<EndpointOptions>(options =>
        {
            options.AdvertisedIPAddress = address;
            options.SiloPort = settings.SiloPort;
            options.GatewayPort = settings.GatewayPort;
            options.SiloListeningEndpoint = new IPEndPoint(IPAddress.Any, settings.SiloPort);
            options.GatewayListeningEndpoint = new IPEndPoint(IPAddress.Any, settings.GatewayPort);
        });
        silo.Configure<ClusterMembershipOptions>(options =>
        {
            options.ProbeTimeout = settings.ProbeTimeout;
            options.MinProbeTimeout = settings.ProbeTimeout < ShortestProbe ? settings.ProbeTimeout : ShortestProbe;
            options.NumMissedProbesLimit = MissedProbes;
            options.NumVotesForDeathDeclaration = Votes;
            options.TableRefreshTimeout = Heartbeat;
            options.IAmAliveTablePublishTimeout = Heartbeat;
            options.NumMissedTableIAmAliveLimit = MissedHeartbeats;
            options.DefunctSiloExpiration = DefunctSilos;

            // By default no silo votes against one that has sent anything lately. A frozen process then lives five times as long.
            options.EnableConnectionLivenessCheck = false;
        });
        silo.Configure<SiloMessagingOptions>(options => options.ResponseTimeout = settings.CallTimeout);
    }

    /// <summary>Configures the client of a gateway.</summary>
    /// <param name="client">The client.</param>
    /// <param name="settings">The settings of the cluster.</param>
    /// <param name="tables">The tables of the account.</param>
    /// <param name="time">The clock.</param>
    public static void Configure(
        IClientBuilder client,
        ClusterOptions settings,
        TableServiceClient tables,
        TimeProvider time)
    {
        client.Configure<OrleansClusterOptions>(options => Name(options, settings));
        client.UseAzureStorageClustering(options => options.TableServiceClient = tables);
        client.Configure<GatewayOptions>(options => options.GatewayListRefreshPeriod = GatewayRefresh);
        client.Configure<ClientMessagingOptions>(options => options.ResponseTimeout = settings.CallTimeout);

        // A gateway may start before the first silo. It waits, and /readyz says that it is not ready.
        client.UseConnectionRetryFilter(async (_, cancellationToken) =>
        {
            await Task.Delay(GatewayRefresh, time, cancellationToken);
            return true;
        });
    }

    private static void Name(OrleansClusterOptions options, ClusterOptions settings) =>
        (options.ClusterId, options.ServiceId) = (settings.Id, ServiceId);

    /// <summary>Returns the first address of this machine that other machines may reach; null if there is none.</summary>
    public static IPAddress? FirstAddress() => Array.Find(
        Dns.GetHostAddresses(Dns.GetHostName()),
        address => address.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(address));
}
