using SQLitePCL;

namespace Granary.Storage;

/// <summary>What the failures of the operating system and of SQLite mean to an operator.</summary>
internal static class StorageErrors
{
    // Exceptions of .NET carry the errno of Linux, or the Windows code, as their HResult.
    private const int Enospc = 28;
    private const int Edquot = 122;
    private const int Erofs = 30;
    private const int WindowsDiskFull = unchecked((int)0x80070070);
    private const int WindowsHandleDiskFull = unchecked((int)0x80070027);
    private const int WindowsWriteProtect = unchecked((int)0x80070013);

    /// <summary>Whether the exception is a failure of the file system, and not a defect of the program.</summary>
    public static bool IsFileSystem(Exception exception) => exception is IOException or UnauthorizedAccessException;

    /// <summary>A failure of the file system.</summary>
    public static StorageException Translate(Exception exception, string what)
    {
        var fault = exception switch
        {
            UnauthorizedAccessException => StorageFault.ReadOnly,
            { HResult: Enospc or Edquot or WindowsDiskFull or WindowsHandleDiskFull } => StorageFault.Full,
            { HResult: Erofs or WindowsWriteProtect } => StorageFault.ReadOnly,
            _ => StorageFault.Unavailable,
        };
        return new StorageException(fault, $"{what}: {exception.Message}", exception);
    }

    /// <summary>A failure of SQLite, by its result code.</summary>
    public static StorageException Translate(int resultCode, string message, string what)
    {
        var fault = (resultCode & 0xff) switch
        {
            // The index of the log cannot grow. SQLite has no code of its own for a full disk there.
            raw.SQLITE_IOERR when resultCode == raw.SQLITE_IOERR_SHMSIZE => StorageFault.Full,
            raw.SQLITE_FULL => StorageFault.Full,
            raw.SQLITE_READONLY or raw.SQLITE_PERM => StorageFault.ReadOnly,
            raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB => StorageFault.Damaged,
            _ => StorageFault.Unavailable,
        };
        return new StorageException(fault, $"{what}: SQLite says '{message}' (code {resultCode}).");
    }
}
