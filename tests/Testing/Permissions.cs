namespace Granary.Testing;

/// <summary>File permissions, and a way to run a program that they restrict.</summary>
public static class Permissions
{
    /// <summary>
    /// The command that starts a program without the privileges of root, which override permissions and allow low ports. Empty if the tests
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
