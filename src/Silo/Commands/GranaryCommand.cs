using System.CommandLine;
using System.CommandLine.Help;

namespace Granary.Silo.Commands;

/// <summary>The command line of the program. Without a command the program serves.</summary>
public static class GranaryCommand
{
    /// <summary>The exit status of a command that failed.</summary>
    internal const int Failed = 1;

    /// <summary>Parses the command line and runs its command.</summary>
    /// <returns>The exit status: 0, or 1 with a message on standard error.</returns>
    public static async Task<int> RunAsync(string[] args)
    {
        var isServing = args.Length == 0 || (args[0].StartsWith('-') && args[0] is not ("-h" or "-?" or "--help" or "--version"));
        string[] words = isServing ? [ServeCommand.Name, .. args] : args;

        // Reflection over the settings finds the options of serve. The other commands start faster without it.
        var serve = ServeCommand.Create(withOptions: words[0] == ServeCommand.Name);
        var root = new RootCommand(
            "Granary, an OCI and Docker container registry. Without a command it serves: 'granary' is short for 'granary serve'.")
        {
            serve,
            GcCommand.Create(),
            OperationCommands.CreateScrub(),
            OperationCommands.CreateBackup(),
            RestoreCommand.Create(),
            TagCommands.Create(),
            OperationCommands.CreateRepository(),
            OperationCommands.CreateOperation(),
        };
        var parsed = root.Parse(words);
        if (parsed.Errors.Count > 0 && parsed.Action is not HelpAction)
        {
            return Fail(ParseFault.Explain(parsed));
        }

        if (parsed.CommandResult.Command == serve && parsed.Action is HelpAction)
        {
            ServeCommand.Describe(serve);
        }

        // The commands handle signals (StopSignals). The library's own handler ends the process two seconds after a signal, which cuts
        // transfers that shutdown.timeout still allows.
        return await parsed.InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = null });
    }

    /// <summary>Writes to standard error why a command failed, and returns its exit status.</summary>
    internal static int Fail(string message)
    {
        Console.Error.WriteLine("granary: " + message);
        return Failed;
    }
}
