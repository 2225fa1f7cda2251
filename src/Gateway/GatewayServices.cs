using Granary.Gateway.Admin;
using Granary.Gateway.Http;
using Granary.Gateway.Transfer;
using Granary.Gateway.Uploads;
using Granary.Grains.Interfaces.Repositories;
using Granary.Storage.Space;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Granary.Gateway;

/// <summary>Registers the gateway in a host.</summary>
public static class GatewayServices
{
    /// <summary>
    /// Adds the gateway's services. The host also registers an <c>IGrainFactory</c> (of a silo or of a client) and an <c>IBlobStore</c>,
    /// and may configure the options. A storage that can become full registers its <see cref="IFreeSpace"/>. A silo registers its
    /// <see cref="IPullCache"/>, which saves pulls a grain call.
    /// </summary>
    public static IServiceCollection AddGranaryGateway(this IServiceCollection services)
    {
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<IFreeSpace>(UnlimitedSpace.Instance);
        services.TryAddSingleton<CommandOrders>();
        services.AddSingleton<GrainCalls>();
        services.AddSingleton<RepositoryReader>();
        services.AddSingleton<UploadSessions>();
        services.AddSingleton<UploadWriters>();
        services.AddSingleton<RunningHashCache>();
        services.AddSingleton<UploadCompletion>();
        services.AddSingleton<UploadReceiver>();
        services.AddSingleton<Locations>();
        services.AddSingleton<RegistryRouter>();
        services.AddSingleton<RequestGate>();
        services.AddSingleton<EarlyAnswers>();
        services.AddSingleton<DownloadRedirects>();
        services.AddSingleton<RequestOrigin>();
        services.AddSingleton<AdminBody>();
        services.AddSingleton<OperationsApi>();
        services.AddSingleton<ExplainApi>();
        services.AddSingleton<HistoryApi>();
        services.AddSingleton<AdminApi>();
        foreach (var endpoint in Routes.All.Select(route => route.Endpoint).Distinct())
        {
            services.AddSingleton(endpoint);
        }

        return services;
    }

    /// <summary>
    /// Counts the bytes of requests and answers, and bounds how much is read of a body that the answer did not need. It must be the first
    /// middleware that answers.
    /// </summary>
    public static IApplicationBuilder UseGranaryTransfer(this IApplicationBuilder app)
    {
        var answers = app.ApplicationServices.GetRequiredService<EarlyAnswers>();
        return app.Use(next => http => answers.HandleAsync(http, next));
    }

    /// <summary>Answers every request below <c>/v2</c>. Middleware before it must not change paths.</summary>
    public static IApplicationBuilder UseGranaryGateway(this IApplicationBuilder app)
    {
        var router = app.ApplicationServices.GetRequiredService<RegistryRouter>();
        var gate = app.ApplicationServices.GetRequiredService<RequestGate>();
        return app.Use(next => http =>
            RegistryPath.IsRegistry(RequestTarget.RawPath(http)) ? gate.PassAsync(http, router.HandleAsync) : next(http));
    }

    /// <summary>Answers the requests of the administration API, below <c>/granary</c>.</summary>
    public static IApplicationBuilder UseGranaryAdmin(this IApplicationBuilder app)
    {
        var admin = app.ApplicationServices.GetRequiredService<AdminApi>();
        return app.Use(next => http =>
            http.Request.Path.StartsWithSegments(AdminApi.Prefix, StringComparison.Ordinal) ? admin.HandleAsync(http) : next(http));
    }
}
