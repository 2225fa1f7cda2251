using Granary.Grains.GarbageCollection;
using Microsoft.Extensions.DependencyInjection;

namespace Granary.Maintenance.Tests;

/// <summary>Collections give way to the requests of clients, and not to those of the administration.</summary>
public sealed class ClientActivityTests
{
    [Fact]
    public async Task A_request_of_a_client_slows_collections_and_one_of_the_administration_does_not()
    {
        var time = new ManualTimestamps();
        await using var registry = await TestRegistry.StartAsync(time: time);
        var throttle = registry.Services.GetRequiredService<CollectionThrottle>();

        await registry.Client.GetJsonAsync(Admin.Operations);
        Assert.False(throttle.HasClients);

        await registry.Client.HeadAsync("/v2/app/manifests/v1");
        Assert.True(throttle.HasClients);

        time.Advance(TimeSpan.FromSeconds(2));
        Assert.False(throttle.HasClients);
    }

    /// <summary>The system's time, with timestamps that only the test moves.</summary>
    private sealed class ManualTimestamps : TimeProvider
    {
        private long _now = 1;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Interlocked.Read(ref _now);

        public void Advance(TimeSpan by) => Interlocked.Add(ref _now, by.Ticks);
    }
}
