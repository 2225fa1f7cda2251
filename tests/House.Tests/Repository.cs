namespace Granary.House.Tests;

internal static class Repository
{
    public static string Root
    {
        get
        {
            var directory = new DirectoryInfo(AppContext.BaseDirectory);
            while (!File.Exists(Path.Combine(directory!.FullName, "Registry.sln")))
            {
                directory = directory.Parent;
            }

            return directory.FullName;
        }
    }
}
