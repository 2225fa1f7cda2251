namespace Granary.Silo.Tests;

/// <summary>The roles of a process, and the start without an account that could be used.</summary>
public sealed class RoleTests : IDisposable
{
    private readonly TemporaryDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Theory]
    [InlineData(
        "role: silos and gateways share a storage account, and none is set. Name it with --storage.azure.account (or " +
        "storage.azure.connectionString for Azurite), or leave the role out to run everything in this process.",
        "--role", "gateway")]
    [InlineData(
        "role: 'node' is not one of all-in-one, silo, gateway. Correct it where it is set: --role, GRANARY_ROLE or the configuration " +
        "file.",
        "--role", "node")]
    [InlineData(
        "storage.azure.account: 'My Account' is neither the name of a storage account nor the address of its blobs, such as " +
        "https://NAME.blob.core.windows.net.",
        "--storage.azure.account", "My Account")]
    [InlineData(
        "storage.azure: account and connectionString are both set. Set the account to sign in with an identity, or the connection " +
        "string to sign in with a key, but not both.",
        "--storage.azure.account", "name", "--storage.azure.connectionString", "UseDevelopmentStorage=true")]
    [InlineData(
        "storage.azure.connectionString: this is not a connection string, such as " +
        "DefaultEndpointsProtocol=https;AccountName=…;AccountKey=….",
        "--storage.azure.connectionString", "secret")]
    [InlineData(
        "cluster.address: 'silo-1' is not an IP address, such as 10.0.0.4.",
        "--role", "silo", "--cluster.address", "silo-1", "--storage.azure.account", "name")]
    public async Task A_wrong_setting_is_one_line(string message, params string[] arguments)
    {
        var (status, output, error) = await RunAsync(arguments);

        Assert.Equal((1, "", $"granary: {message}\n"), (status, output, error));
    }

    [Fact]
    public async Task An_account_that_does_not_answer_is_named()
    {
        // No program listens on port 1.
        var account = AzuriteServer.ConnectionStringOf(new Uri("http://127.0.0.1:1"), new Uri("http://127.0.0.1:1"));

        var (status, output, error) = await RunAsync("--role", "silo", "--storage.azure.connectionString", account);

        Assert.Equal((1, ""), (status, output));
        Assert.StartsWith("granary: storage.azure: ", error, StringComparison.Ordinal);
        Assert.Contains("127.0.0.1:1", error, StringComparison.Ordinal);
        Assert.DoesNotContain(AzuriteServer.Key, error, StringComparison.Ordinal);
        Assert.Equal(1, error.Count(character => character == '\n'));
    }

    [Fact]
    public async Task A_server_with_a_data_directory_loads_no_assembly_of_Azure()
    {
        await using var granary = await GranaryProcess.StartAsync(_directory.Combine("data"));
        using (var client = granary.CreateClient())
        {
            await client.PushImageAsync("app", "v1");
        }

        var loaded = (await File.ReadAllLinesAsync($"/proc/{granary.Id}/maps"))
            .Select(line => line[(line.LastIndexOf('/') + 1)..])
            .Where(file => file.EndsWith(".dll", StringComparison.Ordinal))
            .Distinct()
            .ToList();

        Assert.Contains("Granary.Grains.dll", loaded);
        Assert.DoesNotContain(loaded, file => file.Contains("Azure", StringComparison.Ordinal));
        Assert.DoesNotContain(loaded, file => file.Contains("Identity", StringComparison.Ordinal));
    }

    private Task<(int Status, string Output, string Error)> RunAsync(params string[] arguments) =>
        GranaryProcess.RunAsync(
            [],
            ["serve", "--urls", "http://127.0.0.1:0", "--data", _directory.Combine("data"), .. arguments]);
}
