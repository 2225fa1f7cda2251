using Granary.Gateway;
using Granary.Storage.Blobs;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Granary.Conformance.Tests;

/// <summary>A gateway of its own over the grains of a registry, as another process of a cluster is.</summary>
internal sealed class GatewayHost : IAsyncDisposable
{
    private readonly WebApplication _host;

    private GatewayHost(WebApplication host) => (_host, Client) = (host, new RegistryClient(new Uri(host.Urls.First())));

    public RegistryClient Client { get; }

    public static async Task<GatewayHost> StartAsync(
        TestRegistry registry,
        IBlobStore store,
        Action<IServiceCollection>? configure = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Services
            .AddSingleton(registry.Services.GetRequiredService<IGrainFactory>())
            .AddSingleton(store)
            .AddGranaryGateway();
        configure?.Invoke(builder.Services);
        var host = builder.Build();
        host.UseGranaryTransfer();
        host.UseGranaryGateway();
        await host.StartAsync();
        return new GatewayHost(host);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _host.DisposeAsync();
    }
}
