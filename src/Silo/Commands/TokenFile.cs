using Granary.Silo.Configuration;
using Granary.Storage.Data;

namespace Granary.Silo.Commands;

/// <summary>The file in which a command finds the token for the administration's API of a server.</summary>
/// <param name="Path">The file, as an absolute path.</param>
/// <param name="Reason">The option or variable that names the file, for messages.</param>
internal sealed record TokenFile(string Path, string Reason)
{
    /// <summary>The environment variable that names the file.</summary>
    public const string Variable = GranarySettings.EnvironmentPrefix + "TOKEN_FILE";

    private const string DataVariable = GranarySettings.EnvironmentPrefix + "DATA";

    /// <summary>Returns the file that an option names, or else a variable, or else the file in the server's default directory.</summary>
    /// <param name="file">The value of <c>--token-file</c>; null if it is not given.</param>
    /// <param name="data">The value of <c>--data</c>; null if it is not given.</param>
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

    /// <summary>Returns the token, or null if the file cannot be read.</summary>
    /// <param name="fault">Why the file cannot be read, and what the operator does about it; null if it can.</param>
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
