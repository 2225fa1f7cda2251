using System.Text;
using Granary.Silo.Configuration;

namespace Granary.Silo.Tests;

/// <summary>Generates docs/configuration.md from the settings and their doc comments.</summary>
internal static class ConfigurationDocument
{
    private const string Head =
        """
        # Configuration

        Every setting has a default. Each has one name and can be set in three places; earlier places in this list override
        later ones:

        1. on the command line: `granary serve --manifests.sparse true`
        2. in the environment: `GRANARY_MANIFESTS__SPARSE=true` (a dot becomes two underscores)
        3. in a YAML or JSON file that `--config FILE` or `GRANARY_CONFIG` names:

        ```yaml
        manifests:
          sparse: true
        ```

        The server does not start with a wrong value or an unknown name; the message names it. A duration is a number and a
        unit: `500ms`, `30s`, `15m`, `24h`, `7d`. A size is one too: `0B`, `512MB` (512,000,000 bytes), `2GiB` (2,147,483,648
        bytes). The server ignores the variables that Kubernetes sets for a service named `granary` (`GRANARY_SERVICE_HOST`,
        `GRANARY_PORT_5000_TCP` and so on).

        This page is generated from the doc comments of the options in the code; a test keeps it current.

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
