using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Blobs;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Repositories;
using Granary.Protocol;
using Granary.Storage.Partitions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;
using Orleans.Configuration;
using Orleans.Runtime.Messaging;
using Orleans.TestingHost;

namespace Granary.Grains.Tests.Cluster;

/// <summary>Several silos in the test's process, over a store of the test. Two such clusters over one store are a split brain.</summary>
internal sealed class GrainCluster : IAsyncDisposable
{
    private readonly InProcessTestCluster _cluster;

    private GrainCluster(InProcessTestCluster cluster) => _cluster = cluster;

    public IGrainFactory Grains => _cluster.Client;

    public IReadOnlyList<InProcessSiloHandle> Silos => [.. _cluster.Silos];

    public static async Task<GrainCluster> StartAsync(
        IPartitionStore store,
        short silos = 1,
        TimeProvider? time = null,
        LifetimeOptions? lifetimes = null,
        CollectionOptions? collection = null,
        HistoryOptions? history = null)
    {
        var builder = new InProcessTestClusterBuilder(silos);
        builder.ConfigureSilo((_, silo) =>
        {
            silo.Services.AddSingleton(store);
            silo.Services.AddSingleton(Options.Create(lifetimes ?? new LifetimeOptions()));
            silo.Services.AddSingleton(Options.Create(collection ?? new CollectionOptions()));
            silo.Services.AddSingleton(Options.Create(history ?? new HistoryOptions()));
            if (time is not null)
            {
                silo.Services.AddSingleton(time);
            }

            silo.AddGranaryGrains();
            silo.Configure<ClusterMembershipOptions>(options =>
            {
                // The others have to notice a killed silo before a test times out.
                options.ProbeTimeout = TimeSpan.FromMilliseconds(500);
                options.NumMissedProbesLimit = 2;
                options.NumVotesForDeathDeclaration = 1;
                options.TableRefreshTimeout = TimeSpan.FromSeconds(1);
            });
        });
        var cluster = builder.Build();
        await cluster.DeployAsync();
        return new GrainCluster(cluster);
    }

    public IRepositoryGrain Repository(string name) => OrderedCalls.Of(Grains.GetGrain<IRepositoryGrain>(name));

    public IRepositoryMaintenanceGrain Maintenance(string name) => OrderedCalls.Of(Grains.GetGrain<IRepositoryMaintenanceGrain>(name));

    /// <summary>The pull cache of the first silo.</summary>
    public IPullCache Answers => Silos[0].ServiceProvider.GetRequiredService<IPullCache>();

    /// <summary>Ends a silo that does not tell the others.</summary>
    public Task KillAsync(InProcessSiloHandle silo) => _cluster.KillSiloAsync(silo);

    /// <summary>Stops all silos in order.</summary>
    public Task StopAsync() => _cluster.StopAllSilosAsync();

    public ValueTask DisposeAsync() => _cluster.DisposeAsync();

    /// <summary>Repeats a call until it is answered, as a client that retries.</summary>
    public static async Task<T> PersistAsync<T>(Func<Task<T>> call)
    {
        using var pause = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return await call();
            }
            catch (Exception e) when (attempt < 2000 && IsRetried(e))
            {
                await pause.WaitForNextTickAsync();
            }
        }
    }

    private static bool IsRetried(Exception exception) => exception
        is PartitionUnavailableException or SiloUnavailableException or OrleansMessageRejectionException
        or ConnectionFailedException or TimeoutException;

    /// <summary>Links a small blob.</summary>
    public static Task<LinkAnswer> LinkAsync(IRepositoryGrain repository, byte[] content) =>
        repository.LinkBlob(
            Digest.Compute(DigestAlgorithm.Sha256, content),
            new InlineContent(content),
            deadline: default,
            CancellationToken.None);
}
