namespace Granary.Storage.Data;

/// <summary>The lock file of a data directory or of a backup. It is held as long as it is open.</summary>
internal static class DirectoryLock
{
    public const string FileName = "lock";

    /// <summary>Locks a directory for this process.</summary>
    /// <exception cref="DataDirectoryException">Another process holds the lock.</exception>
    public static FileStream Acquire(string path)
    {
        var file = Path.Combine(path, FileName);
        try
        {
            return new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (File.Exists(file) && StorageErrors.Translate(e, file).Fault == StorageFault.Unavailable)
        {
            throw new DataDirectoryException(
                $"The data directory '{path}' is in use by another process. Stop that one first, or name another directory with --data.",
                e);
        }
    }
}
