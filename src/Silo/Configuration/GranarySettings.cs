using System.Net;
using Granary.Clustering;
using Granary.Gateway;
using Granary.Grains;
using Granary.Grains.GarbageCollection;
using Granary.Grains.Repositories;
using Granary.Grains.Scrubbing;
using YamlDotNet.Core;

namespace Granary.Silo.Configuration;

/// <summary>The validated settings of a server.</summary>
public sealed class GranarySettings
{
    /// <summary>The prefix of every setting's environment variable.</summary>
    public const string EnvironmentPrefix = "GRANARY_";

    private static readonly TimeSpan AccountDeletionDelay = TimeSpan.FromHours(1);

    // By the type of the record: a section may have several.
    private readonly Dictionary<Type, object> _sections;

    private GranarySettings(Dictionary<Type, object> sections) => _sections = sections;

    /// <summary>Settings without a section.</summary>
    public ServerOptions Server => Section<ServerOptions>();

    /// <summary>The section <c>server</c>.</summary>
    public LocationOptions Locations => Section<LocationOptions>();

    /// <summary>The section <c>storage</c>.</summary>
    public StorageOptions Storage => Section<StorageOptions>();

    /// <summary>The section <c>storage.azure</c>.</summary>
    public AzureOptions Azure => Section<AzureOptions>();

    /// <summary>The section <c>cluster</c>.</summary>
    public ClusterOptions Cluster => Section<ClusterOptions>();

    /// <summary>The section <c>tls</c>.</summary>
    public TlsOptions Tls => Section<TlsOptions>();

    /// <summary>The section <c>shutdown</c>.</summary>
    public ShutdownOptions Shutdown => Section<ShutdownOptions>();

    /// <summary>The section <c>log</c>.</summary>
    public LogOptions Log => Section<LogOptions>();

    /// <summary>The section <c>limits</c>.</summary>
    public LimitOptions Limits => Section<LimitOptions>();

    /// <summary>The section <c>manifests</c>.</summary>
    public ManifestOptions Manifests => Section<ManifestOptions>();

    /// <summary>The section <c>blobs</c>.</summary>
    public BlobOptions Blobs => Section<BlobOptions>();

    /// <summary>The section <c>uploads</c>.</summary>
    public UploadOptions Uploads => Section<UploadOptions>();

    /// <summary>The section <c>downloads</c>.</summary>
    public DownloadOptions Downloads => Section<DownloadOptions>();

    /// <summary>The section <c>lifetimes</c>.</summary>
    public LifetimeOptions Lifetimes => Section<LifetimeOptions>();

    /// <summary>The section <c>collection</c>.</summary>
    public CollectionOptions Collection => Section<CollectionOptions>();

    /// <summary>The section <c>scrub</c>.</summary>
    public ScrubOptions Scrub => Section<ScrubOptions>();

    /// <summary>The section <c>history</c>: how long lines are kept.</summary>
    public HistoryOptions History => Section<HistoryOptions>();

    /// <summary>The section <c>history</c>: what lines say about the client.</summary>
    public OriginOptions Origins => Section<OriginOptions>();

    /// <summary>The section <c>admin</c>.</summary>
    public AdminOptions Admin => Section<AdminOptions>();

    /// <summary>Reads and validates the settings. The command line overrides the environment, and the environment the file.</summary>
    /// <param name="file">A YAML or JSON file; null for the file that GRANARY_CONFIG names, if it names one.</param>
    /// <param name="commandLine">Values by the names of their settings.</param>
    /// <exception cref="SettingsException">A setting is unknown or its value is wrong; the message names the setting.</exception>
    public static GranarySettings Load(string? file, IReadOnlyDictionary<string, string> commandLine)
    {
        file ??= Environment.GetEnvironmentVariable(EnvironmentSettings.ConfigVariable);
        var builder = new ConfigurationBuilder();
        if (file is not null)
        {
            Add(builder, ReadFile(Path.GetFullPath(file)));
        }

        Add(builder, EnvironmentSettings.Read(Environment.GetEnvironmentVariables()));
        Add(builder, commandLine);
        var configuration = builder.Build();
        var settings = new GranarySettings(
            SettingCatalog.Sections.Select(section => section.Create()).ToDictionary(options => options.GetType()));
        foreach (var setting in SettingCatalog.All)
        {
            if (configuration[setting.ConfigurationKey] is not { } text)
            {
                continue;
            }

            if (!setting.TryParse(text, out var value, out var error))
            {
                throw new SettingsException(
                    $"{setting.Name}: '{text}' {error}. Correct it where it is set: --{setting.Name}, {setting.EnvironmentName} or the " +
                    "configuration file.");
            }

            setting.Property.SetValue(settings._sections[setting.Property.DeclaringType!], value);
        }

        settings.Lifetimes.UploadExpiry = settings.Uploads.Expiry;
        if (settings.Azure.IsSet)
        {
            // A download of a deleted object breaks off there. In a data directory it goes on.
            settings.Lifetimes.DeletionDelay = AccountDeletionDelay;
        }

        CheckPublicUrl(settings.Locations);
        CheckRole(settings);
        return settings;
    }

    private static void CheckRole(GranarySettings settings)
    {
        if (settings.Server.Role != ServerRole.AllInOne && !settings.Azure.IsSet)
        {
            throw new SettingsException(
                "role: silos and gateways share a storage account, and none is set. Name it with --storage.azure.account (or " +
                "storage.azure.connectionString for Azurite), or leave the role out to run everything in this process.");
        }

        if (settings.Cluster.Address is { Length: > 0 } address && !IPAddress.TryParse(address, out _))
        {
            throw new SettingsException($"cluster.address: '{address}' is not an IP address, such as 10.0.0.4.");
        }
    }

    private static void CheckPublicUrl(LocationOptions options)
    {
        if (options.PublicUrl.Length == 0)
        {
            if (options.AbsoluteLocations)
            {
                throw new SettingsException(
                    "server.absoluteLocations: absolute URLs need the address that clients use. Set server.publicUrl, for example " +
                    "https://registry.example.com.");
            }

            return;
        }

        // Clients request /v2/ at the root of the host. Below an address with a path they would find no registry.
        if (!Uri.TryCreate(options.PublicUrl, UriKind.Absolute, out var url)
            || url.Scheme is not ("http" or "https")
            || url.PathAndQuery is not "/"
            || url.UserInfo.Length + url.Fragment.Length > 0)
        {
            throw new SettingsException(
                $"server.publicUrl: '{options.PublicUrl}' is not the address of a host, such as https://registry.example.com or " +
                "http://10.0.0.1:5000.");
        }
    }

    /// <summary>
    /// Returns the values of a file by the names of their settings. <c>log.level: info</c> and <c>log: { level: info }</c> are the same.
    /// </summary>
    private static Dictionary<string, string> ReadFile(string path)
    {
        var builder = new ConfigurationBuilder();
        if (!File.Exists(path))
        {
            throw new SettingsException(
                $"config: there is no file '{path}'. Name another one with --config or {EnvironmentSettings.ConfigVariable}, or leave " +
                "both out.");
        }

        if (Path.GetExtension(path) is ".json")
        {
            builder.AddJsonFile(path);
        }
        else
        {
            builder.AddYamlFile(path);
        }

        try
        {
            var values = builder.Build().AsEnumerable()
                .Where(pair => pair.Value is not null)
                .ToDictionary(pair => pair.Key.Replace(':', '.'), pair => pair.Value!, StringComparer.OrdinalIgnoreCase);
            RefuseUnknown(values.Keys, path);
            return values;
        }
        catch (Exception e) when (e is not SettingsException)
        {
            // The providers wrap the parser's failure, which alone says what is wrong and where.
            var cause = e.GetBaseException();
            var place = cause is YamlException yaml ? $"line {yaml.Start.Line}, column {yaml.Start.Column}: " : "";
            var reason = place + cause.Message.TrimEnd('.');
            throw new SettingsException(
                $"config: the file '{path}' cannot be read: {reason}. Correct it, or name another one with --config or " +
                $"{EnvironmentSettings.ConfigVariable}.", e);
        }
    }

    private static void Add(ConfigurationBuilder builder, IEnumerable<KeyValuePair<string, string>> values) =>
        builder.AddInMemoryCollection(values.Select(pair => KeyValuePair.Create(pair.Key.Replace('.', ':'), (string?)pair.Value)));

    private static void RefuseUnknown(IEnumerable<string> names, string file)
    {
        var settings = SettingCatalog.All.Select(setting => setting.Name).ToArray();
        foreach (var name in names.Where(name => !settings.Contains(name, StringComparer.OrdinalIgnoreCase)))
        {
            var near = Nearest.Of(name, settings)
                ?? Array.Find(settings, other => other.EndsWith("." + name, StringComparison.OrdinalIgnoreCase));
            throw new SettingsException(
                $"{name}: there is no such setting.{Nearest.Question(near)} Correct it in the file '{file}'; 'granary serve --help' " +
                "lists all settings.");
        }
    }

    private T Section<T>() => (T)_sections[typeof(T)];
}

/// <summary>A setting is unknown or its value is wrong. The message tells the operator what to do.</summary>
public sealed class SettingsException(string message, Exception? innerException = null) : Exception(message, innerException);
