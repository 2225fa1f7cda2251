using Granary.Protocol;

namespace Granary.Storage.Blobs.FileSystem;

/// <summary>What the store does to single files of objects.</summary>
internal static class ObjectFiles
{
    /// <summary>Opens a file for reading. Returns null if it does not exist.</summary>
    public static FileBlobReader? OpenReader(string path)
    {
        try
        {
            // Shares deletion, so that a collection need not wait for a download.
            return new FileBlobReader(File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete));
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    /// <summary>
    /// Cuts a file to its size and renames it, durably. Returns false if it is shorter, or does not exist under either name.
    /// </summary>
    public static bool Seal(string from, string to, long size)
    {
        try
        {
            var file = new FileInfo(from);
            if (file.Exists)
            {
                if (file.Length < size)
                {
                    return false;
                }

                if (file.Length > size)
                {
                    Cut(from, size);
                }

                File.Move(from, to);
            }
        }
        catch (FileNotFoundException)
        {
            // Another seal of this object has renamed it in between.
        }

        if (!File.Exists(to))
        {
            return false;
        }

        // Also if an earlier call has renamed the file: that call may have ended before its sync.
        FileSync.Directory(Path.GetDirectoryName(to)!);
        return true;
    }

    /// <summary>
    /// Cuts bytes off that do not count, durably: after a power cut the file must not be longer than its blob's row says.
    /// </summary>
    private static void Cut(string path, long size)
    {
        using var file = File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        RandomAccess.SetLength(file, size);
        RandomAccess.FlushToDisk(file);
    }

    /// <summary>Describes a file of a listing. Returns null if the object was sealed or deleted since the directory was read.</summary>
    public static StoredObject? Describe(FileInfo file, ObjectId id, Digest? digest)
    {
        try
        {
            return new StoredObject(id, digest, file.Length, new DateTimeOffset(file.LastWriteTimeUtc, TimeSpan.Zero));
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }

    /// <summary>Writes and deletes a small file, to check that a directory accepts writes.</summary>
    public static async Task ProbeAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            await File.WriteAllBytesAsync(path, [1], cancellationToken);
            File.Delete(path);
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
            TryDelete(path);
            throw;
        }
    }

    private static void TryDelete(string path)
    {
        try
        {
            File.Delete(path);
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
            // The caller reports the fault of the write.
        }
    }
}
