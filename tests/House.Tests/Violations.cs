namespace Granary.House.Tests;

/// <summary>Fails a test with the list of all places that break a rule, so that one run shows all of them.</summary>
internal static class Violations
{
    public static void AssertNone(IEnumerable<string> violations)
    {
        var list = violations.ToArray();
        Assert.True(list.Length == 0, $"{list.Length} places break the rule:\n{string.Join('\n', list)}");
    }
}
