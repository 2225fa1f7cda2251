using Granary.Silo.Configuration;
using Granary.Storage.Data;

namespace Granary.Silo.Commands;

/// <summary>The file with the token of a server's administration, as a command looks for it.</summary>
/// <param name="Path">The file, as an absolute path.</param>
/// <param name="Reason">Why this one: the option or variable that names it.</param>
internal sealed record TokenFile(string Path, string Reason)
{
    /// <summary>The variable that names the file, for scripts.</summary>
    public const string Variable = GranarySettings.EnvironmentPrefix + "TOKEN_FILE";

    private const string DataVariable = GranarySettings.EnvironmentPrefix + "DATA";

    /// <summary>Chooses the file: the options count first, then the variables, then the server's default directory.</summary>
    /// <param name="file">The option <c>--token-file</c>.</param>
    /// <param name="data">The option <c>--data</c>.</param>
    public static TokenFile Choose(string? file, string? data)
    {
        if (file is not null)
        {
            return new TokenFile(System.IO.Path.GetFullPath(file), "--token-file names it");
        }

        if (data is not null)
        {
            return In(data, "--data names its directory");
        }

        if (Environment.GetEnvironmentVariable(Variable) is { Length: > 0 } named)
        {
            return new TokenFile(System.IO.Path.GetFullPath(named), $"{Variable} names it");
        }

        return Environment.GetEnvironmentVariable(DataVariable) is { Length: > 0 } directory
            ? In(directory, $"{DataVariable} names its directory")
            : In(
                new ServerOptions().Data,
                $"the server's default directory, because neither --data, --token-file, {DataVariable} nor {Variable} is given");
    }

    /// <summary>Reads the token.</summary>
    /// <param name="fault">Why that is not possible and what to do, for the operator; null if it is.</param>
    /// <returns>The token, or null.</returns>
    public string? Read(out string? fault)
    {
        fault = null;
        try
        {
            return File.ReadAllText(Path).Trim();
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            fault =
                $"the server wants its token, and there is no file '{Path}' ({Reason}). " +
                $"Name the server's data directory with --data or {DataVariable}, or the file '{AdminToken.FileName}' in it with " +
                "--token-file.";
        }
        catch (Exception e) when (e is UnauthorizedAccessException or IOException)
        {
            fault =
                $"the server wants its token, and this user cannot read it: {e.Message.TrimEnd('.')} ({Reason}). " +
                "Run the command as root or as the user that runs the server, for example with 'sudo -u USER'.";
        }

        return null;
    }

    private static TokenFile In(string directory, string reason) =>
        new(System.IO.Path.Combine(System.IO.Path.GetFullPath(directory), AdminToken.FileName), reason);
}
