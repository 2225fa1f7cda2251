using System.Text.RegularExpressions;

namespace Granary.House.Tests;

/// <summary>Checks that every log event has a number of its own and a row in the table of docs/operations.md.</summary>
public sealed partial class LogEventTests
{
    [Fact]
    public void No_two_events_have_the_same_number()
    {
        var numbers = InCode();

        Assert.NotEmpty(numbers);
        Assert.Equal(numbers.Distinct(), numbers);
    }

    [Fact]
    public void Operations_lists_each_event_and_no_other()
    {
        var page = File.ReadAllText(Path.Combine(Repository.Root, "docs", "operations.md"));
        var documented = TableRow().Matches(page)
            .SelectMany(row => Number().Matches(row.Groups["numbers"].Value))
            .Select(number => int.Parse(number.Value));

        Assert.Equal(InCode().Order(), documented.Order());
    }

    private static int[] InCode() =>
    [
        .. Repository.Files("*.cs", "src")
            .SelectMany(file => LoggerMessage().Matches(File.ReadAllText(file)))
            .Select(match => int.Parse(match.Groups[1].Value))
            .Order(),
    ];

    [GeneratedRegex(@"(?:\[LoggerMessage|\bEventId \w+ = new)\(\s*(\d+)")]
    private static partial Regex LoggerMessage();

    [GeneratedRegex(@"^\| (?<numbers>(\d{4}(, )?)+) \|", RegexOptions.Multiline | RegexOptions.ExplicitCapture)]
    private static partial Regex TableRow();

    [GeneratedRegex(@"\d{4}")]
    private static partial Regex Number();
}
