namespace Granary.Silo.Configuration;

/// <summary>Finds the name that a misspelled one was meant to be.</summary>
internal static class Nearest
{
    /// <summary>
    /// Returns the name that needs the fewest letters changed, added or left out; null if none is near. Case, dots, dashes and underscores
    /// count nothing: which of them stand where is the most common mistake.
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

    /// <summary>Returns the middle of a message: a question with the nearest name, or nothing.</summary>
    public static string Question(string? nearest) => nearest is null ? "" : $" Did you mean {nearest}?";

    private static string Letters(string text) => string.Concat(text.Where(char.IsLetterOrDigit).Select(char.ToLowerInvariant));

    /// <summary>The distance of Levenshtein.</summary>
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
