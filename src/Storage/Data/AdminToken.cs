using System.Security.Cryptography;
using System.Text;

namespace Granary.Storage.Data;

/// <summary>
/// The token of a data directory's administration, in a file that only the server's user can read. That user can change the data anyway, so
/// the token grants nothing more. The server makes it at its first start and keeps it, so that scripts work across restarts. A backup does
/// not contain it.
/// </summary>
public static class AdminToken
{
    /// <summary>The name of the file in the data directory.</summary>
    public const string FileName = "admin.token";

    private const int SecretBytes = 32;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>
    /// Reads the token of a data directory. Writes a new one if there is none, if the file is damaged, or if other users may read or write
    /// the file, because the token is then no longer secret.
    /// </summary>
    /// <param name="directory">The data directory, which this process has locked.</param>
    /// <exception cref="StorageException">The file cannot be read or written.</exception>
    public static string Ensure(string directory)
    {
        var file = Path.Combine(directory, FileName);
        try
        {
            return ReadSecret(file) ?? Write(directory, file);
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
            throw StorageErrors.Translate(e, $"'{file}' cannot be read or written");
        }
    }

    private static string? ReadSecret(string file)
    {
        if (!File.Exists(file) || (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(file) & ~OwnerOnly) != UnixFileMode.None))
        {
            return null;
        }

        var token = File.ReadAllText(file).Trim();
        return token.Length == 2 * SecretBytes && token.All(char.IsAsciiHexDigitLower) ? token : null;
    }

    /// <summary>
    /// Writes a token under another name and renames it: a command never reads half a token, and no other user can open the file before its
    /// mode is set.
    /// </summary>
    private static string Write(string directory, string file)
    {
        var token = RandomNumberGenerator.GetHexString(2 * SecretBytes, lowercase: true);
        var unfinished = file + ".new";
        File.Delete(unfinished);
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, Share = FileShare.None };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = OwnerOnly;
        }

        using (var stream = new FileStream(unfinished, options))
        {
            stream.Write(Encoding.ASCII.GetBytes(token + "\n"));
            stream.Flush(flushToDisk: true);
        }

        File.Move(unfinished, file, overwrite: true);
        FileSync.Directory(directory);
        return token;
    }
}
