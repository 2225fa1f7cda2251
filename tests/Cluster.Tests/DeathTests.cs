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

    [Fact]
    public async Task A_gateway_is_killed_while_a_silo_is_frozen()
    {
        await using var cluster = await StartAsync(silos: 3, gateways: 2);
        using var load = await LoadAsync(cluster);

        cluster.Silos[1].Freeze();
        await cluster.Gateways[0].KillAsync();
        await load.WaitForPushesAsync(3);
        cluster.Silos[1].Thaw();
        await load.WaitForPushesAsync(10);

        await AssertNothingLostAsync(load);
        Assert.Empty(load.Failures);
    }

    [Fact]
    public async Task The_storage_does_not_answer_for_a_while()
    {
        await using var cluster = await StartAsync(silos: 3, gateways: 2);
        using var load = await LoadAsync(cluster);

        await azurite.Server.SignalAsync("STOP");
        await Task.Delay(Frozen, TimeProvider.System);
        await azurite.Server.SignalAsync("CONT");
        await load.WaitForPushesAsync(10);

        await AssertNothingLostAsync(load);
        Assert.All(load.Failures, failure => Assert.Contains("503", failure, StringComparison.Ordinal));
        Assert.DoesNotContain(cluster.Silos, silo => silo.HasExited);
    }

    [Fact]
    public async Task Two_clusters_over_one_account_lose_nothing_and_give_no_answer_older_than_the_proof()
    {
        var table = AzuriteFixture.NewTable();
        await using var first = await StartAsync(silos: 1, gateways: 1, table, "first");
        await using var second = await StartAsync(silos: 1, gateways: 1, table, "second");
        using var load = new PushesAndPulls(first.Gateways, second.Gateways, repositories: 6);
        await load.StartAsync();

        await load.WaitForPushesAsync(40);

        await AssertNothingLostAsync(load);
    }

    private Task<ClusterProcesses> StartAsync(int silos, int gateways, string? table = null, string? id = null) =>
        ClusterProcesses.StartAsync(
            azurite.Server.ConnectionString,
            silos,
            gateways,
            table ?? AzuriteFixture.NewTable(),
            id,
            settings: ["--cluster.proof", "5s", "--log.access", "false"]);

    private static async Task<PushesAndPulls> LoadAsync(ClusterProcesses cluster)
    {
        var load = new PushesAndPulls(cluster.Gateways, cluster.Gateways, repositories: 18);
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
