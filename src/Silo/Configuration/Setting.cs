using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Reflection;
using Granary.Protocol.Units;

namespace Granary.Silo.Configuration;

/// <summary>One setting: a property of an options record, and its name.</summary>
/// <param name="Section">The section's name; empty for settings without one.</param>
/// <param name="Property">The property of the options record.</param>
/// <param name="DefaultValue">The value if the operator sets none.</param>
public sealed record Setting(string Section, PropertyInfo Property, object DefaultValue)
{
    /// <summary>The name in the file and on the command line: <c>manifests.sparse</c>.</summary>
    public string Name { get; } = (Section.Length == 0 ? "" : Section + ".") + char.ToLowerInvariant(Property.Name[0]) + Property.Name[1..];

    /// <summary>The name in the environment: <c>GRANARY_MANIFESTS__SPARSE</c>.</summary>
    public string EnvironmentName =>
        GranarySettings.EnvironmentPrefix + Name.Replace(".", "__", StringComparison.Ordinal).ToUpperInvariant();

    /// <summary>The name in the merged configuration: <c>manifests:sparse</c>.</summary>
    public string ConfigurationKey => Name.Replace('.', ':');

    /// <summary>The description: the doc comment of the property.</summary>
    public string Description => SettingDocs.Of(Property);

    /// <summary>The default, as an operator writes it.</summary>
    public string DefaultText => DefaultValue switch
    {
        TimeSpan duration => Durations.Text(duration),
        bool flag => flag ? "true" : "false",
        Enum member => TextOf(member.ToString()),
        string { Length: 0 } => "none",
        _ => Convert.ToString(DefaultValue, CultureInfo.InvariantCulture)!,
    };

    /// <summary>The kind of its values, for the help.</summary>
    public string ValueName => DefaultValue switch
    {
        TimeSpan => "DURATION",
        ByteSize => "SIZE",
        bool => "true|false",
        int => "NUMBER",
        Enum member => string.Join('|', Enum.GetNames(member.GetType()).Select(TextOf)),
        _ => "TEXT",
    };

    /// <summary>Parses a value as an operator writes it.</summary>
    /// <param name="text">The text.</param>
    /// <param name="value">The value; the default if the text is wrong.</param>
    /// <param name="error">What is wrong with the text, such as "is not true or false"; null if it is right.</param>
    public bool TryParse(string text, out object value, [NotNullWhen(false)] out string? error)
    {
        var parsed = Parse(text);
        value = parsed ?? DefaultValue;
        error = parsed is null ? Expectation : null;
        return parsed is not null;
    }

    private TimeSpan? Shortest => SettingCatalog.Shortest.TryGetValue(Name, out var shortest) ? shortest : null;

    private bool MayBeZero => SettingCatalog.MayBeZero.Contains(Name);

    private string Expectation => DefaultValue switch
    {
        bool => "is not true or false",
        int => "is not a number of 1 or more",
        TimeSpan when Shortest is { } shortest => $"is not a duration of {Durations.Text(shortest)} or more, such as 30d or 180d",
        TimeSpan when MayBeZero => "is not a duration such as 0s, 30s, 15m, 24h or 7d",
        TimeSpan => "is not a duration of more than nothing, such as 30s, 15m, 24h or 7d",
        ByteSize => "is not a size such as 0B, 512MB or 2GiB, and not auto",
        _ => $"is not one of {ValueName.Replace("|", ", ", StringComparison.Ordinal)}",
    };

    private bool IsLongEnough(TimeSpan duration) => Shortest is { } shortest ? duration >= shortest : duration > TimeSpan.Zero || MayBeZero;

    private object? Parse(string text) => DefaultValue switch
    {
        string => text,
        bool => bool.TryParse(text, out var flag) ? flag : null,
        int => int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number > 0 ? number : null,
        TimeSpan => Durations.TryParse(text, out var duration) && IsLongEnough(duration) ? duration : null,
        ByteSize => ByteSize.TryParse(text, out var size) ? size : null,
        Enum member => Enum.GetValues(member.GetType()).Cast<object>()
            .FirstOrDefault(value => string.Equals(TextOf(value.ToString()!), text, StringComparison.OrdinalIgnoreCase)),
        _ => null,
    };

    /// <summary>Returns the name of an enumeration's member as an operator writes it: <c>all-in-one</c> for <c>AllInOne</c>.</summary>
    private static string TextOf(string member) => string.Concat(member.Select((letter, place) =>
        char.IsAsciiLetterUpper(letter) ? (place == 0 ? "" : "-") + char.ToLowerInvariant(letter) : letter.ToString()));
}
