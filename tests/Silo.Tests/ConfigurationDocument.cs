using System.Text;
using Granary.Silo.Configuration;

namespace Granary.Silo.Tests;

/// <summary>docs/configuration.md, made from the settings and their documentation.</summary>
internal static class ConfigurationDocument
{
    private const string Head =
        """
        # Configuration

        Granary needs none. Every setting has one name and can be given in three places; what stands earlier in this list counts more:

        1. on the command line: `granary serve --manifests.sparse true`
        2. in the environment: `GRANARY_MANIFESTS__SPARSE=true` (a dot becomes two underscores)
        3. in a YAML or JSON file that `--config FILE` or `GRANARY_CONFIG` names:

        ```yaml
        manifests:
          sparse: true
        ```

        A value that is wrong, or a name that does not exist, keeps the server from starting; the message names it. Durations are a number and a unit: `500ms`, `30s`,
        `15m`, `24h`, `7d`. Sizes are too: `0B`, `512MB` (512,000,000 bytes), `2GiB` (2,147,483,648 bytes). The variables that
        Kubernetes makes for a service named `granary` (`GRANARY_SERVICE_HOST`, `GRANARY_PORT_5000_TCP` and so on) are left alone.

        This page is made from the documentation of the options in the code; a test keeps it current.

        | setting | default | what it does |
        |---|---|---|

        """;

    public static string RepositoryRoot
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

    public static string Make()
    {
        var document = new StringBuilder(Head);
        foreach (var setting in SettingCatalog.All)
        {
            document.Append($"| `{setting.Name}` | `{setting.DefaultText}` | {setting.Description} |\n");
        }

        return document.ToString();
    }
}
