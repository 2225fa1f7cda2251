using Granary.Gateway;
using Granary.Gateway.Http;
using Granary.Protocol;
using Granary.Silo.Configuration;
using Granary.Silo.Hosting.Health;

namespace Granary.Silo.Hosting.Composition;

/// <summary>The way of a request: the access log, the registry's API, the administration's API, health.</summary>
internal static class RequestPipeline
{
    public static void UseRequestPipeline(this WebApplication app, GranarySettings settings, TimeProvider time)
    {
        var accessLog = new AccessLog(
            app.Services.GetRequiredService<ILogger<AccessLog>>(),
            time,
            settings.Log.Access,
            app.Lifetime.ApplicationStopping);
        var health = app.Services.GetRequiredService<HealthEndpoints>();
        app.Use(next => http => accessLog.HandleAsync(http, next));
        app.UseGranaryTransfer();
        if (settings.Server.Role != ServerRole.Silo)
        {
            app.UseGranaryGateway();
            app.UseGranaryAdmin();
        }

        app.Use(_ => http => http.Request.Path.Value switch
        {
            "/healthz" => HealthEndpoints.AnswerLivenessAsync(http),

            // Some load balancers can only request the root of a host.
            "/readyz" or "/" => health.AnswerReadinessAsync(http),
            _ => ErrorResponse.WriteAsync(http, RegistryError.PathUnknown),
        });
    }
}
