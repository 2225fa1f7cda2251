namespace Granary.Testing;

/// <summary>Permissions of files, and programs for which they count.</summary>
public static class Permissions
{
    /// <summary>
    /// What starts another program without the privileges of root that make permissions and low ports mean nothing; nothing where the tests
    /// run as another user.
    /// </summary>
    public static string[] Unprivileged => Environment.UserName == "root"
        ? ["setpriv", "--bounding-set=-net_bind_service,-dac_override,-dac_read_search"]
        : [];

    public static UnixFileMode Of(string path) =>
        OperatingSystem.IsWindows() ? throw new PlatformNotSupportedException() : File.GetUnixFileMode(path);

    public static void Set(string path, UnixFileMode mode)
    {
        if (OperatingSystem.IsWindows())
        {
            throw new PlatformNotSupportedException();
        }

        File.SetUnixFileMode(path, mode);
    }
}
