using System.Text.RegularExpressions;

namespace Granary.House.Tests;

/// <summary>Checks which project may know which (docs/architecture.md, "Rooms").</summary>
public sealed partial class ArrowTests
{
    [Theory]
    [InlineData("Protocol", new string[0])]
    [InlineData("Storage", new[] { "Protocol" })]
    [InlineData("Grains.Interfaces", new[] { "Protocol" })]
    [InlineData("Grains", new[] { "Grains.Interfaces", "Storage" })]
    [InlineData("Gateway", new[] { "Grains.Interfaces", "Storage" })]
    [InlineData("Storage.Azure", new[] { "Storage" })]
    [InlineData("Clustering", new string[0])]
    [InlineData("Silo", new[] { "Clustering", "Gateway", "Grains", "Storage.Azure" })]
    public void A_project_refers_only_to_the_projects_below_it(string project, string[] allowed)
    {
        var file = File.ReadAllText(Path.Combine(Repository.Root, "src", project, project + ".csproj"));
        var references = Reference().Matches(file).Select(match => match.Groups[1].Value);

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
    public void A_project_does_not_use_this_namespace(string project, string word)
    {
        var lines = Repository.Files("*.cs", $"src/{project}").SelectMany(File.ReadLines);

        Assert.DoesNotContain(
            lines,
            line => line.StartsWith("using ", StringComparison.Ordinal) && line.Contains(word, StringComparison.Ordinal));
    }

    [GeneratedRegex("<ProjectReference Include=\"\\.\\./([^/]+)/")]
    private static partial Regex Reference();
}
