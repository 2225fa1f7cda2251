using System.Globalization;
using System.Reflection;
using Granary.Gateway.Units;
using Granary.Storage.Space;

namespace Granary.Silo.Configuration;

/// <summary>One setting: a property of an options record, under its one name.</summary>
/// <param name="Section">The section's name; empty for settings without one.</param>
/// <param name="Property">The property that it sets.</param>
/// <param name="DefaultValue">What it is if nobody sets it.</param>
public sealed record Setting(string Section, PropertyInfo Property, object DefaultValue)
{
    /// <summary>The name, as in the file and on the command line: <c>manifests.sparse</c>.</summary>
    public string Name { get; } = (Section.Length == 0 ? "" : Section + ".") + char.ToLowerInvariant(Property.Name[0]) + Property.Name[1..];

    /// <summary>The name in the environment: <c>GRANARY_MANIFESTS__SPARSE</c>.</summary>
    public string EnvironmentName => GranarySettings.EnvironmentPrefix + Name.Replace(".", "__", StringComparison.Ordinal).ToUpperInvariant();

    /// <summary>The name in the merged configuration: <c>manifests:sparse</c>.</summary>
    public string ConfigurationKey => Name.Replace('.', ':');

    /// <summary>What it does: the property's documentation.</summary>
    public string Description => SettingDocs.Of(Property);

    /// <summary>The default, as one would write it.</summary>
    public string DefaultText => DefaultValue switch
    {
        TimeSpan duration => Durations.Text(duration),
        bool flag => flag ? "true" : "false",
        Enum member => member.ToString().ToLowerInvariant(),
        string { Length: 0 } => "none",
        _ => Convert.ToString(DefaultValue, CultureInfo.InvariantCulture)!,
    };

    /// <summary>What kind of value it takes, for the help.</summary>
    public string ValueName => DefaultValue switch
    {
        TimeSpan => "DURATION",
        ByteSize => "SIZE",
        bool => "true|false",
        int => "NUMBER",
        Enum member => string.Join('|', Enum.GetNames(member.GetType())).ToLowerInvariant(),
        _ => "TEXT",
    };

    /// <summary>Reads a value; what is wrong with it, or null.</summary>
    public string? TryParse(string text, out object value)
    {
        value = DefaultValue;
        switch (DefaultValue)
        {
            case string:
                value = text;
                return null;

            case bool when bool.TryParse(text, out var flag):
                value = flag;
                return null;

            case bool:
                return "is not true or false";

            case int when int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0:
                value = number;
                return null;

            case int:
                return "is not a number of 1 or more";

            case TimeSpan when Durations.TryParse(text, out var duration) && (duration > TimeSpan.Zero || SettingCatalog.MayBeZero.Contains(Name)):
                value = duration;
                return null;

            case TimeSpan:
                return SettingCatalog.MayBeZero.Contains(Name)
                    ? "is not a duration such as 0s, 30s, 15m, 24h or 7d"
                    : "is not a duration of more than nothing, such as 30s, 15m, 24h or 7d";

            case ByteSize when ByteSize.TryParse(text, out var size):
                value = size;
                return null;

            case ByteSize:
                return "is not a size such as 0B, 512MB or 2GiB, and not auto";

            case Enum member when !int.TryParse(text, out _) && Enum.TryParse(member.GetType(), text, ignoreCase: true, out var parsed):
                value = parsed;
                return null;

            default:
                return $"is not one of {ValueName.Replace("|", ", ", StringComparison.Ordinal)}";
        }
    }
}
