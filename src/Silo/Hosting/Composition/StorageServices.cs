using Granary.Grains.Operations;
using Granary.Silo.Operations;
using Granary.Storage.Blobs;
using Granary.Storage.Data;
using Granary.Storage.Partitions;
using Granary.Storage.Space;

namespace Granary.Silo.Hosting.Composition;

/// <summary>Registers the stores of a data directory, and its backup.</summary>
internal static class StorageServices
{
    public static IServiceCollection AddStorage(this IServiceCollection services, DataDirectory data) => services
        .AddSingleton(data)
        .AddSingleton<IPartitionStore>(data.Partitions)
        .AddSingleton<IBlobStore>(data.Blobs)
        .AddSingleton<IFreeSpace>(data.Space)
        .AddSingleton<IOperation, BackupOperation>();
}
