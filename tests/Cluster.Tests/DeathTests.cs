namespace Granary.Cluster.Tests;

/// <summary>
/// Silos and gateways are killed, frozen and replaced while clients push and pull. No acknowledged push is lost, no tag goes back, no
/// answer is older than the proof of ownership lasts, and what cannot be answered is 503.
/// </summary>
[Collection(nameof(ClusterCollection))]
public sealed class DeathTests(AzuriteFixture azurite, ITestOutputHelper output)
{
    private static readonly TimeSpan Proof = TimeSpan.FromSeconds(5);

    // More than the others need to notice that a silo is frozen, so that its grains live elsewhere when it wakes up.
    private static readonly TimeSpan Frozen = TimeSpan.FromSeconds(15);

    [Fact]
    public async Task A_silo_is_killed()
    {
        await using var cluster = await StartAsync(silos: 3, gateways: 2);
        using var load = await LoadAsync(cluster);

        await cluster.Silos[0].KillAsync();
        await load.WaitForPushesAsync(10);

        await AssertNothingLostAsync(load);
        Assert.Empty(load.Failures);
    }

    [Fact]
    public async Task A_silo_is_frozen_and_wakes_up()
    {
        await using var cluster = await StartAsync(silos: 3, gateways: 2);
        using var load = await LoadAsync(cluster);

        cluster.Silos[0].Freeze();
        await Task.Delay(Frozen, TimeProvider.System);
        await load.WaitForPushesAsync(5);
        cluster.Silos[0].Thaw();
        await cluster.Silos[0].WaitForExitAsync();
        await load.WaitForPushesAsync(10);

        await AssertNothingLostAsync(load);
        Assert.Empty(load.Failures);
    }

    [Fact]
    public async Task Each_silo_is_replaced_in_turn()
    {
        await using var cluster = await StartAsync(silos: 3, gateways: 2);
        using var load = await LoadAsync(cluster);

        foreach (var silo in cluster.Silos.ToArray())
        {
            await cluster.StartSiloAsync();
            silo.Terminate();
            Assert.Equal(0, await silo.WaitForExitAsync());
            await load.WaitForPushesAsync(4);
        }

        await AssertNothingLostAsync(load);
        Assert.Empty(load.Failures);
    }

    private Task<ClusterProcesses> StartAsync(int silos, int gateways) => ClusterProcesses.StartAsync(
        azurite.Server.ConnectionString,
        silos,
        gateways,
        AzuriteFixture.NewTable(),
        settings: ["--cluster.proof", "5s", "--log.access", "false"]);

    private static async Task<PushesAndPulls> LoadAsync(ClusterProcesses cluster)
    {
        var load = new PushesAndPulls(cluster.Gateways.Select(gateway => gateway.Address), repositories: 18);
        await load.StartAsync();
        await load.WaitForPushesAsync(4);
        return load;
    }

    private async Task AssertNothingLostAsync(PushesAndPulls load)
    {
        var lost = await load.FinishAsync();
        output.WriteLine(load.Summarize());
        Assert.Empty(lost);
        Assert.InRange(load.OldestAnswer, TimeSpan.Zero, Proof);
    }
}
