using System.Collections;
using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;

namespace Granary.Silo.Configuration;

/// <summary>
/// Reads settings from environment variables. It refuses a variable that begins with <c>GRANARY_</c> and names no setting, because the
/// name is most probably misspelled. It ignores the variables of Kubernetes: a service named <c>granary</c> (or <c>granary-…</c>) adds
/// some to every container of its namespace.
/// </summary>
internal static partial class EnvironmentSettings
{
    /// <summary>The variable that names the configuration file.</summary>
    public const string ConfigVariable = GranarySettings.EnvironmentPrefix + "CONFIG";

    // The commands and serve read these; in a container both see the same environment.
    private static readonly HashSet<string> OtherVariables = new(StringComparer.OrdinalIgnoreCase)
    {
        ConfigVariable,
        Commands.TokenFile.Variable,
    };

    /// <summary>Returns the values by the names of their settings.</summary>
    /// <exception cref="SettingsException">A variable names no setting; the message names the variable.</exception>
    public static Dictionary<string, string> Read(IDictionary environment)
    {
        var settings = SettingCatalog.All
            .ToDictionary(setting => setting.EnvironmentName, setting => setting.Name, StringComparer.OrdinalIgnoreCase);
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (DictionaryEntry variable in environment)
        {
            var (name, value) = ((string)variable.Key, (string?)variable.Value ?? "");
            if (!name.StartsWith(GranarySettings.EnvironmentPrefix, StringComparison.OrdinalIgnoreCase) || OtherVariables.Contains(name))
            {
                continue;
            }

            if (settings.TryGetValue(name, out var setting))
            {
                values[setting] = value;
            }
            else if (!IsSetByKubernetes(WithoutPrefix(name), value))
            {
                throw new SettingsException(
                    $"{name}: there is no such setting.{Nearest.Question(FindNear(name, settings.Keys))} " +
                    "In the environment a setting is GRANARY_ and its name in capitals, each dot as two underscores; 'granary serve " +
                    "--help' lists all settings.");
            }
        }

        return values;
    }

    private static string? FindNear(string name, IEnumerable<string> settings)
    {
        var near = Nearest.Of(WithoutPrefix(name), settings.Concat(OtherVariables).Select(WithoutPrefix));
        return near is null ? null : GranarySettings.EnvironmentPrefix + near;
    }

    private static string WithoutPrefix(string variable) => variable[GranarySettings.EnvironmentPrefix.Length..];

    /// <summary>
    /// Returns whether both the name and the value have a form that Kubernetes sets for a service (its documentation, "Discovering
    /// services", environment variables). Kubernetes also sets the variables of Docker's links, the second half of the forms.
    /// </summary>
    /// <param name="name">The name without <c>GRANARY_</c>.</param>
    /// <param name="value">The value.</param>
    internal static bool IsSetByKubernetes(string name, string value)
    {
        var form = ServiceVariable().Match(name);
        return form.Success && (
            form.Groups["host"].Success ? IPAddress.TryParse(value, out _)
            : form.Groups["number"].Success ? IsPort(value)
            : form.Groups["protocol"].Success ? value is "tcp" or "udp" or "sctp"
            : IsLink(value));
    }

    /// <summary>Returns whether the value is a link such as <c>tcp://10.96.0.7:5000</c>.</summary>
    private static bool IsLink(string value) =>
        Link().Match(value) is { Success: true } link
        && IPAddress.TryParse(link.Groups["address"].Value, out _) && IsPort(link.Groups["port"].Value);

    private static bool IsPort(string value) =>
        ushort.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var port) && port > 0;

    // The variables of a service named granary-web begin with GRANARY_WEB_. A port may have a name: SERVICE_PORT_HTTP.
    [GeneratedRegex(
        """
        ^([A-Z0-9_]+?_)??
        ( (?<host>   SERVICE_HOST | PORT_\d+_(TCP|UDP|SCTP)_ADDR )
        | (?<number> SERVICE_PORT(_[A-Z0-9_]+)? | PORT_\d+_(TCP|UDP|SCTP)_PORT )
        | (?<protocol> PORT_\d+_(TCP|UDP|SCTP)_PROTO )
        | PORT(_\d+_(TCP|UDP|SCTP))? )$
        """,
        RegexOptions.IgnorePatternWhitespace | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant)]
    private static partial Regex ServiceVariable();

    [GeneratedRegex(
        @"^(tcp|udp|sctp)://\[?(?<address>[0-9A-Fa-f.:]+?)\]?:(?<port>\d+)$",
        RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant)]
    private static partial Regex Link();
}
