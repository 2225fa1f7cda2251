using Microsoft.Extensions.DependencyInjection;

namespace Granary.Grains.Interfaces;

/// <summary>Registers what silos and their clients need to know of the grain interfaces.</summary>
public static class GrainInterfaceServices
{
    /// <summary>Adds <see cref="KnownGrainInterfaces"/>. May be called more than once.</summary>
    public static IServiceCollection AddGranaryInterfaces(this IServiceCollection services)
    {
        // Orleans asks the providers in order and takes the first answer, so this one has to be the first.
        if (!services.Any(service => service.ImplementationType == typeof(KnownGrainInterfaces)))
        {
            services.Insert(0, ServiceDescriptor.Singleton<IGrainInterfaceTypeProvider, KnownGrainInterfaces>());
        }

        return services;
    }
}
