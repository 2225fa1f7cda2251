using System.Text.RegularExpressions;

namespace Granary.House.Tests;

/// <summary>
/// Checks that comments and pages name the actor (CONTRIBUTING.md, "How we write"). Each of these words hides one: the shard, the client,
/// the sweep.
/// </summary>
public sealed partial class PlainWordTests
{
    [Fact]
    public void Comments_name_the_actor()
    {
        var comments = Repository.Files("*.cs", "src").SelectMany(file => Riddles(
            file,
            File.ReadLines(file).Select((text, index) => (index + 1, Comment().Match(text).Value))));

        Violations.AssertNone(comments);
    }

    [Fact]
    public void Pages_name_the_actor()
    {
        var pages = Repository.Files("*.md", "docs").SelectMany(file => Riddles(
            file,
            File.ReadLines(file).Select((text, index) => (index + 1, text))));

        Violations.AssertNone(pages);
    }

    private static IEnumerable<string> Riddles(string file, IEnumerable<(int Number, string Text)> lines) =>
        lines.SelectMany(line => Riddle().Matches(line.Text)
            .Select(match => $"{Repository.Relative(file)}:{line.Number} says '{match.Value}'; name the actor or the result"));

    [GeneratedRegex(@"(?<!:)//.*$")]
    private static partial Regex Comment();

    [GeneratedRegex(@"\b(whoever|nobody|somebody|as good as|come to nothing)\b", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture)]
    private static partial Regex Riddle();
}
