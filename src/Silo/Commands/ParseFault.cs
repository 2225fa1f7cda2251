using System.CommandLine;
using System.CommandLine.Parsing;
using Granary.Silo.Configuration;

namespace Granary.Silo.Commands;

/// <summary>
/// Explains in one line what is wrong with a command line. The library would print several lines, and the whole help after them.
/// </summary>
internal static class ParseFault
{
    /// <summary>Returns what is wrong with the first wrong word, and the command that prints the help for it.</summary>
    public static string Explain(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        var help = $"'{Path(parsed.CommandResult)} --help'";
        if (parsed.UnmatchedTokens is not [var word, ..])
        {
            var message = command.Subcommands.Count > 0
                ? $"'{Path(parsed.CommandResult)}' needs a command after it."
                : parsed.Errors[0].Message;
            return $"{message.TrimEnd('.')}. See {help}.";
        }

        if (word.StartsWith('-'))
        {
            var name = word.Split('=')[0];
            var options = command.Options.Select(option => option.Name);
            return $"'{name}' is not an option of '{Path(parsed.CommandResult)}'.{Nearest.Question(Nearest.Of(name, options))} {help} " +
                "lists all options.";
        }

        var commands = command.Subcommands.Select(other => other.Name);
        return command.Subcommands.Count > 0
            ? $"'{word}' is not a command of '{Path(parsed.CommandResult)}'.{Nearest.Question(Nearest.Of(word, commands))} {help} lists " +
                "all commands."
            : $"'{word}' is one word too many for '{Path(parsed.CommandResult)}'. See {help}.";
    }

    /// <summary>Returns the words of a command, such as <c>granary gc run</c>.</summary>
    private static string Path(CommandResult command)
    {
        var words = new Stack<string>();
        for (SymbolResult? at = command; at is CommandResult { Command: var current }; at = at.Parent)
        {
            words.Push(current is RootCommand ? "granary" : current.Name);
        }

        return string.Join(' ', words);
    }
}
