using System.Reflection;
using Granary.Gateway;
using Granary.Grains;
using Granary.Grains.GarbageCollection;
using Granary.Grains.Scrubbing;

namespace Granary.Silo.Configuration;

/// <summary>All settings: the one list that the command line, the environment, the file, the help and the documentation are made from.</summary>
public static class SettingCatalog
{
    /// <summary>The sections and the records that hold their settings.</summary>
    public static IReadOnlyList<(string Name, Func<object> Create)> Sections { get; } =
    [
        ("", () => new ServerOptions()),
        ("server", () => new LocationOptions()),
        ("storage", () => new StorageOptions()),
        ("tls", () => new TlsOptions()),
        ("shutdown", () => new ShutdownOptions()),
        ("log", () => new LogOptions()),
        ("limits", () => new LimitOptions()),
        ("manifests", () => new ManifestOptions()),
        ("blobs", () => new BlobOptions()),
        ("uploads", () => new UploadOptions()),
        ("downloads", () => new DownloadOptions()),
        ("lifetimes", () => new LifetimeOptions()),
        ("collection", () => new CollectionOptions()),
        ("scrub", () => new ScrubOptions()),
        ("admin", () => new AdminOptions()),
    ];

    /// <summary>The durations that may be nothing; with any other one the server would do nothing else, or nothing at all.</summary>
    internal static IReadOnlySet<string> MayBeZero { get; } = new HashSet<string>(StringComparer.Ordinal)
    {
        "shutdown.delay",
        "shutdown.timeout",
        "lifetimes.linkGrace",
        "lifetimes.blobGrace",
    };

    /// <summary>Every setting, in the order of the documentation.</summary>
    public static IReadOnlyList<Setting> All { get; } = [.. Sections.SelectMany(section => Of(section.Name, section.Create()))];

    private static IEnumerable<Setting> Of(string section, object defaults) => defaults.GetType()
        .GetProperties(BindingFlags.Public | BindingFlags.Instance)
        .Where(property => property.SetMethod is { IsPublic: true } && property.GetCustomAttribute<System.ComponentModel.BrowsableAttribute>() is not { Browsable: false })
        .Select(property => new Setting(section, property, property.GetValue(defaults)!));
}
