namespace Granary.House.Tests;

/// <summary>Finds the files of this repository.</summary>
internal static class Repository
{
    // What builds and runs leave in a work tree. None of them is a part of the repository.
    private static readonly HashSet<string> Untracked =
        new(["bin", "obj", "out", "data", ".git", ".tools", ".vs", ".idea", "TestResults", "artifacts"], StringComparer.Ordinal);

    /// <summary>The directory of the solution.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>Returns the files below <paramref name="directories"/> that match, without those that builds and runs make.</summary>
    public static IEnumerable<string> Files(string pattern, params string[] directories) =>
        directories.SelectMany(directory => Walk(Path.Combine(Root, directory), pattern)).Order(StringComparer.Ordinal);

    /// <summary>Returns all pages of the repository.</summary>
    public static IEnumerable<string> MarkdownFiles() => Files("*.md", "");

    /// <summary>Returns a path as messages name it, relative to the repository.</summary>
    public static string Relative(string file) => Path.GetRelativePath(Root, file);

    private static IEnumerable<string> Walk(string directory, string pattern) =>
        Directory.EnumerateFiles(directory, pattern).Concat(
            Directory.EnumerateDirectories(directory)
                .Where(child => !Untracked.Contains(Path.GetFileName(child)))
                .SelectMany(child => Walk(child, pattern)));

    private static string FindRoot()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory!.FullName, "Registry.sln")))
        {
            directory = directory.Parent;
        }

        return directory.FullName;
    }
}
