using System.Diagnostics.CodeAnalysis;

namespace Granary.Protocol;

/// <summary>
/// The name of a repository: path components of lower-case letters and digits with single separators, at most 255 bytes
/// (OCI distribution specification, "Pulling manifests", <c>&lt;name&gt;</c>).
/// </summary>
public readonly record struct RepositoryName
{
    /// <summary>The length of the longest name, in bytes. Names are ASCII.</summary>
    public const int MaxLength = 255;

    private readonly string? _value;

    private RepositoryName(string value) => _value = value;

    /// <summary>The name, as in URLs and rows.</summary>
    public string Value => _value ?? throw new InvalidOperationException("A default RepositoryName is not a name.");

    /// <summary>Parses <paramref name="text"/>. Returns false if the grammar of the specification does not accept it.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out RepositoryName name)
    {
        name = default;
        if (text is null || text.Length is 0 or > MaxLength || !HasShape(text))
        {
            return false;
        }

        name = new RepositoryName(text);
        return true;
    }

    /// <summary>Parses a name that this program wrote, such as the key of a grain.</summary>
    /// <exception cref="FormatException">The text is not a repository name.</exception>
    public static RepositoryName Parse(string text) =>
        TryParse(text, out var name) ? name : throw new FormatException($"'{text}' is not a repository name.");

    /// <inheritdoc/>
    public override string ToString() => _value ?? "";

    /// <summary>
    /// Returns whether the text matches <c>[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*</c>. Reads each
    /// character once: an attacker chooses the text, and a regular expression could backtrack.
    /// </summary>
    private static bool HasShape(string text)
    {
        for (var i = 0; i < text.Length;)
        {
            var start = i;
            while (i < text.Length && char.IsAsciiLetterLower(text[i]) || i < text.Length && char.IsAsciiDigit(text[i]))
            {
                i++;
            }

            if (i == start)
            {
                return false;
            }

            if (i == text.Length)
            {
                return true;
            }

            i = AfterSeparator(text, i);
            if (i < 0 || i == text.Length)
            {
                return false;
            }
        }

        return false;
    }

    /// <summary>Returns the end of the separator that begins here; -1 if there is none.</summary>
    private static int AfterSeparator(string text, int i)
    {
        switch (text[i])
        {
            case '.' or '/':
                return i + 1;

            case '_':
                return i + 1 < text.Length && text[i + 1] == '_' ? i + 2 : i + 1;

            case '-':
                while (i < text.Length && text[i] == '-')
                {
                    i++;
                }

                return i;

            default:
                return -1;
        }
    }
}
