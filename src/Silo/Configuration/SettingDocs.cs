using System.Collections.Concurrent;
using System.Reflection;
using System.Text.RegularExpressions;
using System.Xml.Linq;

namespace Granary.Silo.Configuration;

/// <summary>
/// The descriptions of the settings: the doc comments of their properties, from the XML files that the compiler writes beside the
/// assemblies.
/// </summary>
internal static partial class SettingDocs
{
    private static readonly ConcurrentDictionary<Assembly, Dictionary<string, string>> Files = new();

    public static string Of(PropertyInfo property)
    {
        var type = property.DeclaringType!;
        return Files.GetOrAdd(type.Assembly, Read).GetValueOrDefault($"P:{type.FullName}.{property.Name}", "");
    }

    private static Dictionary<string, string> Read(Assembly assembly)
    {
        var file = Path.Combine(AppContext.BaseDirectory, assembly.GetName().Name + ".xml");
        return File.Exists(file)
            ? XDocument.Load(file).Descendants("member").ToDictionary(
                member => (string)member.Attribute("name")!,
                member => Whitespace().Replace(member.Element("summary")?.Value ?? "", " ").Trim(),
                StringComparer.Ordinal)
            : [];
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Whitespace();
}
