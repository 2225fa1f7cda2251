namespace Granary.Silo.Configuration;

/// <summary>Suggests a name for a misspelled one.</summary>
internal static class Nearest
{
    /// <summary>
    /// Returns the name with the smallest edit distance; null if none is near. Case, dots, dashes and underscores do not count, because
    /// most mistakes are about them.
    /// </summary>
    public static string? Of(string text, IEnumerable<string> names)
    {
        var wanted = Letters(text);
        var (best, fewest) = (default(string), (wanted.Length / 3) + 1);
        foreach (var name in names)
        {
            var changes = Distance(wanted, Letters(name));
            if (changes < fewest)
            {
                (best, fewest) = (name, changes);
            }
        }

        return best;
    }

    /// <summary>Returns the question "Did you mean …?" for a message; empty if no name is near.</summary>
    public static string Question(string? nearest) => nearest is null ? "" : $" Did you mean {nearest}?";

    private static string Letters(string text) => string.Concat(text.Where(char.IsLetterOrDigit).Select(char.ToLowerInvariant));

    /// <summary>Returns the Levenshtein distance.</summary>
    private static int Distance(string from, string to)
    {
        var row = Enumerable.Range(0, to.Length + 1).ToArray();
        for (var i = 1; i <= from.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= to.Length; j++)
            {
                var above = row[j];
                row[j] = Math.Min(Math.Min(row[j - 1], above) + 1, diagonal + (from[i - 1] == to[j - 1] ? 0 : 1));
                diagonal = above;
            }
        }

        return row[^1];
    }
}
