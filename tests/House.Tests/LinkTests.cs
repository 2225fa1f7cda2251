using System.Text.RegularExpressions;

namespace Granary.House.Tests;

/// <summary>Checks that the links between the pages lead somewhere.</summary>
public sealed partial class LinkTests
{
    [Fact]
    public void Every_relative_link_leads_to_a_file_and_a_heading()
    {
        var links = Repository.MarkdownFiles().SelectMany(Links).ToArray();

        Assert.NotEmpty(links);
        Violations.AssertNone(links
            .Where(link => !Exists(link.File, link.Target))
            .Select(link => $"{Repository.Relative(link.File)}:{link.Line} links to {link.Target}, which does not exist"));
    }

    private static IEnumerable<(string File, int Line, string Target)> Links(string file) =>
        File.ReadLines(file).SelectMany((text, index) => Link().Matches(text)
            .Select(match => (file, index + 1, match.Groups["target"].Value))
            .Where(link => !link.Value.Contains("://", StringComparison.Ordinal)
                && !link.Value.StartsWith("mailto:", StringComparison.Ordinal)));

    private static bool Exists(string from, string target)
    {
        var parts = target.Split('#', 2);
        var file = parts[0].Length == 0 ? from : Path.GetFullPath(Path.Combine(Path.GetDirectoryName(from)!, parts[0]));
        return parts.Length == 1
            ? File.Exists(file) || Directory.Exists(file)
            : File.Exists(file) && MarkdownText.Lines(file).Any(line => line.Text.StartsWith('#') && Anchor(line.Text) == parts[1]);
    }

    /// <summary>Returns the anchor that Markdown viewers make of a heading: lower case, without punctuation, hyphens for spaces.</summary>
    private static string Anchor(string heading) =>
        Punctuation().Replace(heading.TrimStart('#').Trim(), "").Replace(' ', '-').ToLowerInvariant();

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)\)", RegexOptions.ExplicitCapture)]
    private static partial Regex Link();

    [GeneratedRegex(@"[^\w\s-]")]
    private static partial Regex Punctuation();
}
