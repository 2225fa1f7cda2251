using System.Collections.Concurrent;
using System.Diagnostics.CodeAnalysis;
using Orleans.Metadata;
using Orleans.Serialization.TypeSystem;

namespace Granary.Grains.Interfaces;

/// <summary>
/// Caches the wire names of the registry's grain interfaces. Orleans looks for them in the attributes of the type each time that a
/// reference to a grain is made, which cost 3 % of the CPU of a small push. The cached name is the name that Orleans finds.
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
