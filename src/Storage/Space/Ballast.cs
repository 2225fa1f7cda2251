using System.Runtime.InteropServices;

namespace Granary.Storage.Space;

/// <summary>
/// Files without content in a directory of their own, whose blocks are really taken. When another program has used up the disk, deleting
/// them gives the room with which the server starts and deletes. There are several: the database's log and its index need inodes, too.
/// </summary>
internal sealed partial class Ballast(string directory)
{
    private const int Files = 4;
    private const int BlockSize = 64 * 1024;

    /// <summary>How many bytes the files have.</summary>
    public long Length { get; private set; } = Measure(directory);

    /// <summary>Makes the files, or makes them the right size. What does not fit on the disk is left out.</summary>
    public void Make(long length)
    {
        try
        {
            if (Length > length)
            {
                Release();
            }

            if (length > 0)
            {
                Directory.CreateDirectory(directory);
                for (var i = 0; i < Files; i++)
                {
                    Allocate(Path.Combine(directory, $"{i}"), length / Files);
                }

                if (Measure(directory) != Length)
                {
                    // Files whose names a power failure has taken away give no room at the next start.
                    FileSync.Directory(directory);
                    FileSync.Directory(Path.GetDirectoryName(directory)!);
                }
            }
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
            // Another program was faster. It is tried again when there is room.
        }
        finally
        {
            Length = Measure(directory);
        }
    }

    /// <summary>Deletes the files; false if there were none.</summary>
    public bool Release()
    {
        var hadAny = Length > 0;
        try
        {
            if (Directory.Exists(directory))
            {
                foreach (var file in Directory.GetFiles(directory))
                {
                    File.Delete(file);
                }
            }
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
            // The fault for which room was wanted is told to the caller.
            hadAny = false;
        }

        Length = Measure(directory);
        return hadAny;
    }

    private static long Measure(string directory)
    {
        try
        {
            return Directory.Exists(directory) ? new DirectoryInfo(directory).EnumerateFiles().Sum(file => file.Length) : 0;
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
            return 0;
        }
    }

    /// <summary>Takes blocks for a file; deletes it if there are not enough.</summary>
    private static void Allocate(string path, long length)
    {
        try
        {
            using var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None, bufferSize: 0);
            if (!OperatingSystem.IsLinux())
            {
                Fill(file, length);
            }
            else if (Fallocate(file.SafeFileHandle, 0, length) is not 0 and var errno)
            {
                throw new IOException(Marshal.GetPInvokeErrorMessage(errno), errno);
            }
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
            File.Delete(path);
            throw;
        }
    }

    private static void Fill(FileStream file, long length)
    {
        var block = new byte[BlockSize];
        for (var left = length - file.Length; left > 0; left -= block.Length)
        {
            // Zeros would be compressed to nothing by some file systems.
            Random.Shared.NextBytes(block);
            file.Seek(0, SeekOrigin.End);
            file.Write(block.AsSpan(0, (int)Math.Min(left, block.Length)));
        }
    }

    // Takes the blocks without writing them, or writes them where the file system cannot do that.
    [LibraryImport("libc", EntryPoint = "posix_fallocate")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Fallocate(SafeHandle file, long offset, long length);
}
