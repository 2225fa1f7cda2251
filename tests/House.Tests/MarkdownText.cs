namespace Granary.House.Tests;

/// <summary>Reads the text of a Markdown file: its lines without tables and code blocks, whose lines cannot be broken.</summary>
internal static class MarkdownText
{
    private const string Fence = "```";
    private const string CodeIndent = "    ";

    /// <summary>Returns the lines of text with their numbers.</summary>
    public static IEnumerable<(int Number, string Text)> Lines(string file)
    {
        var (isFenced, isCode, number, previous) = (false, false, 0, "");
        foreach (var line in File.ReadLines(file))
        {
            number++;
            if (line.TrimStart().StartsWith(Fence, StringComparison.Ordinal))
            {
                isFenced = !isFenced;
            }
            else if (!isFenced && !line.TrimStart().StartsWith('|'))
            {
                // An indented block is code after an empty line; anywhere else it continues a paragraph or an item of a list.
                isCode = line.StartsWith(CodeIndent, StringComparison.Ordinal) && (isCode || previous.Length == 0);
                if (!isCode)
                {
                    yield return (number, line);
                }
            }

            previous = line;
        }
    }
}
