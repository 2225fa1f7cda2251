using Granary.Grains.GarbageCollection;
using Granary.Grains.Interfaces;
using Granary.Grains.Interfaces.Repositories;
using Granary.Grains.Operations;
using Granary.Grains.Repositories;
using Granary.Grains.Scrubbing;
using Granary.Grains.Uploads;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Orleans.Configuration;

namespace Granary.Grains;

/// <summary>Registers the grains and the services that they need.</summary>
public static class GrainServices
{
    // An activation that got no call for this long ends, and frees its memory. The next activation costs one read.
    private static readonly TimeSpan IdleAfter = TimeSpan.FromMinutes(10);

    /// <summary>
    /// Adds the registry's grains to a silo. The host also registers an <c>IPartitionStore</c>, and may configure
    /// <see cref="LifetimeOptions"/>.
    /// </summary>
    public static ISiloBuilder AddGranaryGrains(this ISiloBuilder silo)
    {
        silo.Services.TryAddSingleton(TimeProvider.System);
        silo.Services.TryAddSingleton<ObjectIdSource>();
        silo.Services.TryAddSingleton<OperationSignal>();
        silo.Services.TryAddSingleton<CollectionThrottle>();
        silo.Services.TryAddSingleton<IClientActivity>(services => services.GetRequiredService<CollectionThrottle>());
        silo.Services.TryAddSingleton<PullCache>();
        silo.Services.TryAddSingleton<IPullCache>(services => services.GetRequiredService<PullCache>());
        silo.Services.AddOptions<LifetimeOptions>();
        silo.Services.AddOptions<HistoryOptions>();
        silo.Configure<GrainCollectionOptions>(options => options.CollectionAge = IdleAfter);
        return silo;
    }

    /// <summary>
    /// Adds the background work: the sweep, and the operations that an administrator starts. The host also registers an <c>IBlobStore</c>.
    /// </summary>
    public static IServiceCollection AddGranaryMaintenance(this IServiceCollection services)
    {
        services.AddSingleton<GarbageCollector>();
        services.AddSingleton<IOperation, CollectionOperation>();
        services.TryAddSingleton<CommandOrders>();
        services.AddSingleton<IOperation, DeletionOperation>();
        services.AddSingleton<IOperation, ScrubOperation>();
        services.AddHostedService<Sweeper>();
        services.AddHostedService<OperationWorker>();
        return services;
    }
}
