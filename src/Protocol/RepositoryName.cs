using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;

namespace Granary.Protocol;

/// <summary>
/// The name of a repository: path components of lower-case letters and digits with single separators, at most 255 bytes
/// (OCI distribution specification, "Pulling manifests", <c>&lt;name&gt;</c>).
/// </summary>
public readonly partial record struct RepositoryName
{
    /// <summary>The longest name accepted, in bytes; names are ASCII.</summary>
    public const int MaxLength = 255;

    private readonly string? _value;

    private RepositoryName(string value) => _value = value;

    /// <summary>The name, as it stands in URLs and rows.</summary>
    public string Value => _value ?? throw new InvalidOperationException("A default RepositoryName is not a name.");

    /// <summary>Parses <paramref name="text"/>; false for anything that the specification's grammar does not accept.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out RepositoryName name)
    {
        name = default;
        if (text is null || text.Length is 0 or > MaxLength || !Grammar().IsMatch(text))
        {
            return false;
        }

        name = new RepositoryName(text);
        return true;
    }

    /// <summary>Parses a name that this program wrote itself, such as a grain key.</summary>
    /// <exception cref="FormatException">The text is not a repository name.</exception>
    public static RepositoryName Parse(string text) =>
        TryParse(text, out var name) ? name : throw new FormatException($"'{text}' is not a repository name.");

    /// <inheritdoc/>
    public override string ToString() => _value ?? "";

    // \z, not $: the latter also matches before a final newline. NonBacktracking: the name is the attacker's.
    [GeneratedRegex(@"\A[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Grammar();
}
