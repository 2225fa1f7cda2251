using Granary.Grains.Operations;
using Granary.Grains.Repositories;
using Granary.Silo.Configuration;
using Granary.Silo.Operations;
using Granary.Storage.Blobs;
using Granary.Storage.Data;
using Granary.Storage.Partitions;
using Granary.Storage.Space;
using Microsoft.Extensions.Options;

namespace Granary.Silo.Hosting.Storage;

/// <summary>The stores of a data directory on this machine.</summary>
internal sealed class EmbeddedStorage(DataDirectory data) : IServerStorage
{
    public string Place => data.Path;

    public string Directory => data.Path;

    public IBlobStore Blobs => data.Blobs;

    public Guid ClusterId => data.ClusterId;

    /// <summary>Opens the data directory of the settings.</summary>
    /// <exception cref="DataDirectoryException">It cannot be used.</exception>
    public static EmbeddedStorage Open(GranarySettings settings, TimeProvider time) =>
        new(DataDirectory.Open(settings.Server.Data, time, settings.Storage.Reserve));

    public void AddTo(IServiceCollection services) => services
        .AddSingleton(data)
        .AddSingleton<IPartitionStore>(data.Partitions)
        .AddSingleton<IBlobStore>(data.Blobs)
        .AddSingleton<IFreeSpace>(data.Space)
        .AddSingleton<IOperation, BackupOperation>();

    /// <summary>Watches the free space, and upgrades rows of an older format.</summary>
    /// <exception cref="DataDirectoryException">The rows cannot be upgraded.</exception>
    public async Task PrepareAsync(IServiceProvider services, ILogger logger, CancellationToken cancellationToken)
    {
        data.Space.Watch(new SpaceLog(services.GetRequiredService<ILogger<SpaceLog>>()).Write);
        var history = services.GetRequiredService<IOptions<HistoryOptions>>().Value;
        await RowUpgrade.RunAsync(data, history, logger, cancellationToken);
    }

    public void Dispose() => data.Dispose();
}
