using Granary.Gateway;
using Granary.Grains;
using Granary.Silo.Configuration;
using Granary.Silo.Hosting.Health;
using Granary.Storage.Data;

namespace Granary.Silo.Hosting.Composition;

/// <summary>Composes the web application of a server from its settings, its data directory and its sockets.</summary>
internal static class ServerComposition
{
    public static WebApplication Build(GranarySettings settings, DataDirectory data, ListenSockets sockets, TimeProvider time)
    {
        DownloadCheck.Check(settings.Downloads, data.Blobs);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "granary" });
        builder.Logging.AddGranaryLogging(settings.Log);
        builder.Services
            .AddSingleton(time)
            .AddSettings(settings)
            .AddStorage(data)
            .AddAdministration(settings.Admin)
            .AddHostPolicy()
            .AddGranaryGateway()
            .AddGranaryHealth();
        builder.UseOrleans(silo => EmbeddedCluster.Configure(silo, data.ClusterId));

        // After the silo: hosted services start in this order and stop in the reverse one. A worker that started first would call grains
        // of a silo that does not run yet, and log an error on each start of a slow machine.
        builder.Services.AddGranaryMaintenance();
        builder.WebHost.UseWebServer(sockets, settings.Tls, time);

        var app = builder.Build();
        app.UseRequestPipeline(settings.Log, time);
        return app;
    }
}
