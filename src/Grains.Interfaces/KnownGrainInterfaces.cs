using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Microsoft.Extensions.DependencyInjection;
using Orleans.Metadata;
using Orleans.Serialization.TypeSystem;

namespace Granary.Grains.Interfaces;

/// <summary>
/// Remembers the wire names of the registry's grain interfaces. Orleans looks for them in the attributes of the type each time that a grain is referred to, which cost 3 % of the CPU of a
/// small push; the name is the one that it would find.
/// </summary>
internal sealed class KnownGrainInterfaces(TypeConverter types, IServiceProvider services) : IGrainInterfaceTypeProvider
{
    private readonly ConcurrentDictionary<Type, GrainInterfaceType> _known = new();
    private readonly GrainInterfaceTypeResolver _resolver = new([new AttributeGrainInterfaceTypeProvider(services)], types);

    /// <inheritdoc/>
    public bool TryGetGrainInterfaceType(Type type, [NotNullWhen(true)] out GrainInterfaceType grainInterfaceType)
    {
        if (_known.TryGetValue(type, out grainInterfaceType))
        {
            return true;
        }

        if (type.Assembly != typeof(KnownGrainInterfaces).Assembly)
        {
            return false;
        }

        grainInterfaceType = _known.GetOrAdd(type, _resolver.GetGrainInterfaceType);
        return true;
    }
}

/// <summary>Registers what silos and clients of them need to know of the grain interfaces.</summary>
public static class GrainInterfaceServices
{
    /// <summary>Makes references to the registry's grains cheap. May be called more than once.</summary>
    public static IServiceCollection AddGranaryInterfaces(this IServiceCollection services)
    {
        // In front: the first provider that knows a type is believed.
        if (!services.Any(service => service.ImplementationType == typeof(KnownGrainInterfaces)))
        {
            services.Insert(0, ServiceDescriptor.Singleton<IGrainInterfaceTypeProvider, KnownGrainInterfaces>());
        }

        return services;
    }
}
