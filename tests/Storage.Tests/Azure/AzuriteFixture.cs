using Granary.Storage.Azure;

namespace Granary.Storage.Tests.Azure;

/// <summary>One Azurite for all tests of this project that need a storage account. Each test uses a table or a container of its own.</summary>
public sealed class AzuriteFixture : IAsyncLifetime
{
    private AzuriteServer? _server;

    /// <summary>The emulator. Tests that stop it start one of their own.</summary>
    public AzuriteServer Server => _server ?? throw new InvalidOperationException("Azurite has not started.");

    /// <summary>The emulated account.</summary>
    public StorageAccount Account => StorageAccount.FromConnectionString(Server.ConnectionString);

    /// <summary>Returns a name that no other test uses, valid for a table and for a container.</summary>
    public static string NewName() => $"t{Guid.NewGuid():N}";

    public async Task InitializeAsync() => _server = await AzuriteServer.StartAsync();

    public async Task DisposeAsync()
    {
        if (_server is not null)
        {
            await _server.DisposeAsync();
        }
    }
}
