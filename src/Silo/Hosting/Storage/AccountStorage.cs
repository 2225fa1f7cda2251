using Azure.Data.Tables;
using Granary.Gateway;
using Granary.Grains.Operations;
using Granary.Protocol;
using Granary.Silo.Configuration;
using Granary.Silo.Operations;
using Granary.Storage;
using Granary.Storage.Azure;
using Granary.Storage.Azure.Blobs;
using Granary.Storage.Azure.Tables;
using Granary.Storage.Blobs;
using Granary.Storage.Partitions;

namespace Granary.Silo.Hosting.Storage;

/// <summary>The stores of a storage account, which any number of processes may use at the same time.</summary>
internal sealed class AccountStorage : IServerStorage
{
    private readonly DirectoryInfo _directory;
    private readonly StorageAccount _account;
    private readonly TablePartitionStore _partitions;
    private readonly AzureBlobStore _blobs;

    private AccountStorage(
        DirectoryInfo directory,
        StorageAccount account,
        TablePartitionStore partitions,
        AzureBlobStore blobs,
        string place)
    {
        (_directory, _account, _partitions, _blobs, Place) = (directory, account, partitions, blobs, place);
    }

    public string Place { get; }

    public string Directory => _directory.FullName;

    public IBlobStore Blobs => _blobs;

    public Guid ClusterId { get; } = Guid.NewGuid();

    /// <summary>The tables of the account, for the membership of the cluster.</summary>
    public TableServiceClient Tables => _account.CreateTableClient(new TableClientOptions());

    /// <summary>Opens the account of the settings. Makes the table and the container if they are missing.</summary>
    /// <exception cref="SettingsException">
    /// A setting is wrong, or the account, a table, a container or a right is missing. The message says what to do.
    /// </exception>
    public static async Task<AccountStorage> OpenAsync(GranarySettings settings, TimeProvider time, CancellationToken cancellationToken)
    {
        var account = AccountSettings.Account(settings.Azure);
        var rows = new TableStoreOptions { TableName = settings.Azure.Table, ProofLifetime = settings.Cluster.Proof };
        try
        {
            var partitions = await TablePartitionStore.OpenAsync(account, rows, time, cancellationToken);
            var container = account.CreateBlobClient(AzureBlobClients.CreateOptions()).GetBlobContainerClient(settings.Azure.Container);
            var blobs = new AzureBlobStore(container, new AzureBlobOptions(), time);
            await blobs.StartAsync(cancellationToken);
            if (settings.Downloads.Mode == DownloadMode.Redirect)
            {
                // The right to sign URLs is a role of its own. Without this, only the log of a pull would say that it is missing.
                await blobs.CreateLinkAsync(ObjectId.FromRandom(new byte[16]), cancellationToken);
            }

            var directory = System.IO.Directory.CreateDirectory(settings.Server.Data);
            return new AccountStorage(directory, account, partitions, blobs, AccountSettings.Describe(settings.Azure));
        }
        catch (Exception e) when (e is ArgumentException or StorageException)
        {
            throw new SettingsException($"storage.azure: {e.Message}", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new SettingsException($"data: the directory '{settings.Server.Data}' cannot be made: {e.Message}", e);
        }
    }

    public void AddTo(IServiceCollection services) => services
        .AddSingleton<IPartitionStore>(_partitions)
        .AddSingleton<IBlobStore>(_blobs)
        .AddSingleton<IOperation, NoBackup>();

    public Task PrepareAsync(IServiceProvider services, ILogger logger, CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _blobs.Dispose();
}
