namespace Granary.House.Tests;

/// <summary>Checks that lines end where a reader's window ends: code at 140 columns, text at 120.</summary>
public sealed class LineLengthTests
{
    private const int CodeColumns = 140;
    private const int TextColumns = 120;

    [Fact]
    public void No_line_of_code_exceeds_140_columns()
    {
        var violations = Repository.Files("*.cs", "src", "tests", "bench").SelectMany(file => LongLines(file, Numbered(file), CodeColumns));

        Violations.AssertNone(violations);
    }

    [Fact]
    public void No_line_of_text_exceeds_120_columns()
    {
        var violations = Repository.MarkdownFiles().SelectMany(file => LongLines(file, MarkdownText.Lines(file), TextColumns));

        Violations.AssertNone(violations);
    }

    private static IEnumerable<(int Number, string Text)> Numbered(string file) =>
        File.ReadLines(file).Select((text, index) => (index + 1, text));

    private static IEnumerable<string> LongLines(string file, IEnumerable<(int Number, string Text)> lines, int columns) =>
        lines.Where(line => line.Text.Length > columns)
            .Select(line => $"{Repository.Relative(file)}:{line.Number} has {line.Text.Length} columns; break it at {columns}");
}
