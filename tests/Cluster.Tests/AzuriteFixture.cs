namespace Granary.Cluster.Tests;

/// <summary>One Azurite for all tests of the project. Each test has a table and a container of its own.</summary>
public sealed class AzuriteFixture : IAsyncLifetime
{
    private static int _tables;

    public AzuriteServer Server { get; private set; } = null!;

    /// <summary>Returns a name that no other test has.</summary>
    public static string NewTable() => $"test{Interlocked.Increment(ref _tables)}";

    public async Task InitializeAsync() => Server = await AzuriteServer.StartAsync();

    public async Task DisposeAsync() => await Server.DisposeAsync();
}

[CollectionDefinition(nameof(ClusterCollection))]
public sealed class ClusterCollection : ICollectionFixture<AzuriteFixture>;
