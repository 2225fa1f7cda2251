using System.Formats.Tar;

namespace Granary.EndToEnd.Tests;

/// <summary>Writes the content of a test image, as a tar file or as a directory.</summary>
internal static class RootFileSystem
{
    /// <summary>Writes a tar file with a small and a large file. The large one makes the layer an object and not a row.</summary>
    public static string WriteTar(string directory, int largeSize = 3_000_000)
    {
        var content = WriteDirectory(directory, largeSize);
        var tar = Path.Combine(directory, "rootfs.tar");
        TarFile.CreateFromDirectory(content, tar, includeBaseDirectory: false);
        return tar;
    }

    /// <summary>Writes the same files into a directory.</summary>
    public static string WriteDirectory(string directory, int largeSize = 3_000_000)
    {
        var content = Directory.CreateDirectory(Path.Combine(directory, "rootfs")).FullName;
        File.WriteAllText(Path.Combine(content, "hello.txt"), "hello\n");
        File.WriteAllBytes(Path.Combine(content, "large.bin"), RegistryClient.RandomBytes(largeSize));
        return content;
    }
}
