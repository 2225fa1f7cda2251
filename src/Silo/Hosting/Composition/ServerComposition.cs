using Granary.Gateway;
using Granary.Silo.Configuration;
using Granary.Silo.Hosting.Health;
using Granary.Silo.Hosting.Storage;

namespace Granary.Silo.Hosting.Composition;

/// <summary>Composes the web application of a server from its settings, its storage and its sockets.</summary>
internal static class ServerComposition
{
    public static WebApplication Build(GranarySettings settings, IServerStorage storage, ListenSockets sockets, TimeProvider time)
    {
        DownloadCheck.Check(settings.Downloads, storage.Blobs);
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "granary" });
        builder.Logging.AddGranaryLogging(settings.Log);
        storage.AddTo(builder.Services);
        builder.Services
            .AddSingleton(time)
            .AddSettings(settings)
            .AddAdministration(settings.Admin, storage.Directory)
            .AddHostPolicy()
            .AddGranaryGateway()
            .AddGranaryHealth(settings.Server.Role);
        builder.AddRole(settings, storage, time);
        builder.WebHost.UseWebServer(sockets, settings.Tls, time);

        var app = builder.Build();
        app.UseRequestPipeline(settings, time);
        return app;
    }
}
