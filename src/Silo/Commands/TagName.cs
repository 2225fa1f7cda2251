using System.Diagnostics.CodeAnalysis;
using Granary.Protocol;

namespace Granary.Silo.Commands;

/// <summary>A tag of a repository, as users write it: <c>library/app:v1</c>.</summary>
/// <param name="Repository">The repository.</param>
/// <param name="Tag">The tag.</param>
internal readonly record struct TagName(RepositoryName Repository, Tag Tag)
{
    /// <summary>Parses REPOSITORY:TAG: the last colon after the last slash separates the two.</summary>
    /// <param name="text">The text.</param>
    /// <param name="name">The name; default if the text is none.</param>
    /// <param name="error">What is wrong and what to write; null if the text is right.</param>
    public static bool TryParse(string text, out TagName name, [NotNullWhen(false)] out string? error)
    {
        var slash = text.LastIndexOf('/');
        var colon = text.LastIndexOf(':');
        var (before, after) = colon > slash ? (text[..colon], text[(colon + 1)..]) : (text, "");
        if (RepositoryName.TryParse(before, out var repository) && Tag.TryParse(after, out var tag))
        {
            (name, error) = (new TagName(repository, tag), null);
            return true;
        }

        name = default;
        error = $"'{text}' is not REPOSITORY:TAG, such as library/app:v1." + Hint(before, after);
        return false;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Repository}:{Tag}";

    private static string Hint(string before, string after) => (before, after) switch
    {
        _ when before.Contains('@', StringComparison.Ordinal) => " It names a tag, not a digest.",
        (_, "") when RepositoryName.TryParse(before, out _) => " The tag is missing.",
        _ when before.Contains(':', StringComparison.Ordinal) => " Leave out the address of the registry; --server names it.",
        _ => "",
    };
}
