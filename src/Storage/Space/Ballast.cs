using System.Runtime.InteropServices;

namespace Granary.Storage.Space;

/// <summary>
/// Files without content whose blocks are allocated, in a directory of their own. When another program has used up the disk, deleting them
/// gives the room that the server needs to start and to delete. There are several files: the database's log and its index need inodes too.
/// </summary>
internal sealed partial class Ballast(string directory)
{
    private const int Files = 4;
    private const int BlockSize = 64 * 1024;

    /// <summary>The bytes of all files.</summary>
    public long Length { get; private set; } = Measure(directory);

    /// <summary>Makes the files, or corrects their size. Leaves out a file that does not fit on the disk.</summary>
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
                    // Without the sync, a power failure can take the names away, and the next start has no ballast.
                    FileSync.Directory(directory);
                    FileSync.Directory(Path.GetDirectoryName(directory)!);
                }
            }
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
            // Another program took the room first. DiskSpace tries again when there is room.
        }
        finally
        {
            Length = Measure(directory);
        }
    }

    /// <summary>Deletes the files. Returns false if there are none, or if they cannot be deleted.</summary>
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
            // The caller reports the fault for which it needed room.
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

    /// <summary>Allocates the blocks of a file. Deletes the file if there are not enough.</summary>
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
            // Some file systems compress zeros to nothing.
            Random.Shared.NextBytes(block);
            file.Seek(0, SeekOrigin.End);
            file.Write(block.AsSpan(0, (int)Math.Min(left, block.Length)));
        }
    }

    // Allocates the blocks without writing them. Writes them where the file system cannot allocate.
    [LibraryImport("libc", EntryPoint = "posix_fallocate")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Fallocate(SafeHandle file, long offset, long length);
}
