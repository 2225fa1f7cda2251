
namespace Granary.Cluster.Tests;

/// <summary>Uploads go on at any gateway.</summary>
[Collection(nameof(ClusterCollection))]
public sealed class UploadTests(AzuriteFixture azurite)
{
    private const int Part = 6 * 1024 * 1024;

    [Fact]
    public async Task An_upload_goes_on_at_another_gateway_after_the_first_was_killed()
    {
        await using var cluster = await ClusterProcesses.StartAsync(
            azurite.Server.ConnectionString, silos: 1, gateways: 2, AzuriteFixture.NewTable());
        using var first = cluster.Gateways[0].CreateClient();
        using var second = cluster.Gateways[1].CreateClient();
        var layer = RegistryClient.RandomBytes(3 * Part);
        var location = await first.StartUploadAsync("app");
        location = await PatchAsync(first, location, layer, 0);

        await cluster.Gateways[0].KillAsync();
        location = await PatchAsync(second, location, layer, Part);
        using var finish = await second.SendAsync(
            "PUT", $"{location}?digest={RegistryClient.DigestOf(layer)}", layer[(2 * Part)..]);

        Assert.Equal(HttpStatusCode.Created, finish.StatusCode);
        Assert.Equal(layer, await second.GetBytesAsync($"/v2/app/blobs/{RegistryClient.DigestOf(layer)}"));
    }

    [Fact]
    public async Task One_process_over_an_account_serves_what_the_cluster_has_stored()
    {
        var table = AzuriteFixture.NewTable();
        byte[] manifest;
        await using (var cluster = await ClusterProcesses.StartAsync(azurite.Server.ConnectionString, silos: 1, gateways: 1, table))
        {
            using var client = cluster.Gateways[0].CreateClient();
            (_, manifest) = await client.PushImageAsync("app", "v1", layerSize: 200_000);
        }

        using var directory = new TemporaryDirectory();
        await using var alone = await GranaryProcess.StartAsync(
            directory.Path,
            "--storage.azure.connectionString", azurite.Server.ConnectionString,
            "--storage.azure.table", table,
            "--storage.azure.container", table);
        using var pull = alone.CreateClient();

        Assert.Equal(manifest, await pull.GetBytesAsync("/v2/app/manifests/v1"));
    }

    private static async Task<string> PatchAsync(RegistryClient client, string location, byte[] layer, int offset)
    {
        using var answer = await client.SendAsync(
            "PATCH", location, layer[offset..(offset + Part)], ("Content-Range", $"{offset}-{offset + Part - 1}"));
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        return answer.Headers.Location!.OriginalString;
    }
}
