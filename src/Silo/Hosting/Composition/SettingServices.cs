using Granary.Silo.Configuration;
using Microsoft.Extensions.Options;

namespace Granary.Silo.Hosting.Composition;

/// <summary>Registers the sections of the settings as options of the gateway and the grains.</summary>
internal static class SettingServices
{
    public static IServiceCollection AddSettings(this IServiceCollection services, GranarySettings settings) => services
        .AddSingleton(Options.Create(settings.Locations))
        .AddSingleton(Options.Create(settings.Manifests))
        .AddSingleton(Options.Create(settings.Blobs))
        .AddSingleton(Options.Create(settings.Uploads))
        .AddSingleton(Options.Create(settings.Downloads))
        .AddSingleton(Options.Create(settings.Limits))
        .AddSingleton(Options.Create(settings.Lifetimes))
        .AddSingleton(Options.Create(settings.Collection))
        .AddSingleton(Options.Create(settings.Scrub))
        .AddSingleton(Options.Create(settings.History))
        .AddSingleton(Options.Create(settings.Origins))
        .AddSingleton(Options.Create(settings.Admin));
}
