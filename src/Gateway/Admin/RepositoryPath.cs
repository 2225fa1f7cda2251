namespace Granary.Gateway.Admin;

/// <summary>
/// A path of the administration's API about one repository: <c>/granary/v1/repositories/&lt;name&gt;/-/…</c>. A name contains slashes, and
/// none of its components is a dash, so the first <c>/-/</c> ends the name.
/// </summary>
/// <param name="Name">The text in the place of the repository's name, not yet checked.</param>
/// <param name="Segments">The segments after the dash.</param>
internal readonly record struct RepositoryPath(string Name, string[] Segments)
{
    private const string Prefix = AdminApi.Prefix + "/v1/repositories/";
    private const string End = "/-/";

    /// <summary>Reads a decoded path. Returns false if it is not about a repository.</summary>
    public static bool TryParse(string path, out RepositoryPath parsed)
    {
        parsed = default;
        if (!path.StartsWith(Prefix, StringComparison.Ordinal)
            || path.IndexOf(End, Prefix.Length, StringComparison.Ordinal) is not (>= 0 and var end))
        {
            return false;
        }

        parsed = new RepositoryPath(path[Prefix.Length..end], path[(end + End.Length)..].Split('/'));
        return true;
    }
}
