using System.ComponentModel;
using System.Reflection;
using Granary.Clustering;
using Granary.Gateway;
using Granary.Grains;
using Granary.Grains.GarbageCollection;
using Granary.Grains.Repositories;
using Granary.Grains.Scrubbing;

namespace Granary.Silo.Configuration;

/// <summary>The list of all settings, for the command line, the environment, the file, the help and the documentation.</summary>
public static class SettingCatalog
{
    /// <summary>
    /// The sections, and the options record of each. A section has several records if several assemblies read parts of it: the gateway
    /// cannot see the records of the grains.
    /// </summary>
    public static IReadOnlyList<(string Name, Func<object> Create)> Sections { get; } =
    [
        ("", () => new ServerOptions()),
        ("server", () => new LocationOptions()),
        ("storage", () => new StorageOptions()),
        ("storage.azure", () => new AzureOptions()),
        ("cluster", () => new ClusterOptions()),
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
        ("history", () => new HistoryOptions()),
        ("history", () => new OriginOptions()),
        ("admin", () => new AdminOptions()),
    ];

    /// <summary>The durations that may be zero. Any other zero duration would make a loop spin, or a timeout end every request.</summary>
    internal static IReadOnlySet<string> MayBeZero { get; } = new HashSet<string>(StringComparer.Ordinal)
    {
        "shutdown.delay",
        "shutdown.timeout",
        "lifetimes.linkGrace",
        "lifetimes.blobGrace",
    };

    /// <summary>
    /// The shortest values of durations that a short one makes useless. With a history of minutes an undo finds no line, and the sweep
    /// would do nothing but remove lines.
    /// </summary>
    internal static IReadOnlyDictionary<string, TimeSpan> Shortest { get; } = new Dictionary<string, TimeSpan>(StringComparer.Ordinal)
    {
        ["history.retention"] = TimeSpan.FromDays(1),
    };

    /// <summary>Every setting, in the order of the documentation.</summary>
    public static IReadOnlyList<Setting> All { get; } = [.. Sections.SelectMany(section => Of(section.Name, section.Create()))];

    private static IEnumerable<Setting> Of(string section, object defaults) => defaults.GetType()
        .GetProperties(BindingFlags.Public | BindingFlags.Instance)
        .Where(property => property.SetMethod is { IsPublic: true } && !IsHidden(property))
        .Select(property => new Setting(section, property, property.GetValue(defaults)!));

    private static bool IsHidden(PropertyInfo property) => property.GetCustomAttribute<BrowsableAttribute>() is { Browsable: false };
}
