using System.Security.Cryptography;
using System.Text;

namespace Granary.Storage.Data;

/// <summary>
/// The secret of a data directory's administration: a file that only the user of the server can read. A caller who knows it may do what
/// that user may do anyway. The server makes it at its first start and keeps it, so that scripts work across restarts. It is no part of a
/// backup.
/// </summary>
public static class AdminToken
{
    /// <summary>The name of the file in the data directory.</summary>
    public const string FileName = "admin.token";

    private const int SecretBytes = 32;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>
    /// Reads the token of a data directory. Writes a new one if there is none, if the file is damaged, or if other users may read or write
    /// it: such a token is no secret any more.
    /// </summary>
    /// <param name="directory">The data directory, which this process has open.</param>
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
    /// Writes under another name first: a command never reads half a token, and no other user can open the file before its mode is set.
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
