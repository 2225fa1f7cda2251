using System.Text.RegularExpressions;

namespace Granary.House.Tests;

/// <summary>Who may know whom (docs/architecture.md, "Rooms").</summary>
public sealed partial class ArrowTests
{
    [Theory]
    [InlineData("Protocol", new string[0])]
    [InlineData("Storage", new[] { "Protocol" })]
    [InlineData("Grains.Interfaces", new[] { "Protocol" })]
    [InlineData("Grains", new[] { "Grains.Interfaces", "Storage" })]
    [InlineData("Gateway", new[] { "Grains.Interfaces", "Storage" })]
    [InlineData("Silo", new[] { "Gateway", "Grains" })]
    public void A_project_refers_only_to_those_below_it(string project, string[] allowed)
    {
        var references = Reference().Matches(File.ReadAllText(Path.Combine(Source, project, project + ".csproj"))).Select(match => match.Groups[1].Value);

        Assert.Equal(allowed.Order(StringComparer.Ordinal), references.Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData("Gateway", "Granary.Storage.Partitions")]
    [InlineData("Protocol", "Microsoft.AspNetCore")]
    [InlineData("Storage", "Microsoft.AspNetCore")]
    [InlineData("Grains", "Microsoft.AspNetCore")]
    [InlineData("Grains.Interfaces", "Microsoft.AspNetCore")]
    [InlineData("Grains", "Sqlite")]
    [InlineData("Gateway", "Sqlite")]
    [InlineData("Protocol", "Orleans")]
    [InlineData("Storage", "Orleans;")]
    public void A_room_does_not_know(string project, string word)
    {
        var files = Directory.GetFiles(Path.Combine(Source, project), "*.cs", SearchOption.AllDirectories).Where(file => !file.Contains("/obj/", StringComparison.Ordinal));

        Assert.DoesNotContain(files, file => File.ReadLines(file).Any(line => line.StartsWith("using ", StringComparison.Ordinal) && line.Contains(word, StringComparison.Ordinal)));
    }

    private static string Source => Path.Combine(Repository.Root, "src");

    [GeneratedRegex("<ProjectReference Include=\"\\.\\./([^/]+)/")]
    private static partial Regex Reference();
}
