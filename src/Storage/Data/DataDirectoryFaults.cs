namespace Granary.Storage.Data;

/// <summary>Tells the operator why a data directory cannot be opened.</summary>
internal static class DataDirectoryFaults
{
    /// <summary>Translates a failure of the opening. Returns a failure that is a bug of the program as it is.</summary>
    public static Exception Translate(Exception failure, string path) => failure switch
    {
        DataDirectoryException => failure,
        StorageException { Fault: StorageFault.Damaged } => new DataDirectoryException(
            $"The data directory '{path}' cannot be used, because its database is damaged. {failure.Message} " +
            "Restore a backup with 'granary restore', or see docs/operations.md, \"Backup and restore\", for what can be saved " +
            "without one.",
            failure),
        _ when IsFull(failure) => new DataDirectoryException(
            $"The data directory '{path}' cannot be used, because its file system is full. Make room there, or name another directory " +
            $"with --data. ({failure.Message})",
            failure),
        StorageException => new DataDirectoryException($"The data directory '{path}' cannot be used. {failure.Message}", failure),
        UnauthorizedAccessException => new DataDirectoryException(
            $"The data directory '{path}' is not writable for this user. Mend its permissions, or name another one with --data. " +
            $"({failure.Message})",
            failure),
        IOException when File.Exists(path) => new DataDirectoryException(
            $"The data directory '{path}' is a file. Name a directory with --data.",
            failure),
        IOException => new DataDirectoryException(
            $"The data directory '{path}' cannot be used. Mend the cause, or name another one with --data. ({failure.Message})",
            failure),
        _ => failure,
    };

    /// <summary>
    /// Returns whether the release of the ballast may help. A file system without a free inode for the database's log makes SQLite report
    /// only that it cannot open the file.
    /// </summary>
    public static bool NeedsRoom(Exception failure) => failure is StorageException { Fault: StorageFault.Unavailable } || IsFull(failure);

    private static bool IsFull(Exception failure) => failure switch
    {
        StorageException { Fault: var fault } => fault == StorageFault.Full,
        IOException => StorageErrors.Translate(failure, "").Fault == StorageFault.Full,
        _ => false,
    };
}
