using SQLitePCL;

namespace Granary.Storage;

/// <summary>Translates failures of the operating system and of SQLite into faults of the storage.</summary>
internal static class StorageErrors
{
    // Exceptions of .NET carry the errno of Linux, or the Windows code, as their HResult.
    private const int Enospc = 28;
    private const int Edquot = 122;
    private const int Erofs = 30;
    private const int WindowsDiskFull = unchecked((int)0x80070070);
    private const int WindowsHandleDiskFull = unchecked((int)0x80070027);
    private const int WindowsWriteProtect = unchecked((int)0x80070013);

    /// <summary>Returns whether the exception is a failure of the file system, and not a bug of the program.</summary>
    public static bool IsFileSystem(Exception exception) => exception is IOException or UnauthorizedAccessException;

    /// <summary>Translates a failure of the file system.</summary>
    /// <param name="exception">The failure.</param>
    /// <param name="what">What could not be done, as the first part of the message.</param>
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

    /// <summary>Translates a failure of SQLite by its result code.</summary>
    /// <param name="resultCode">The extended result code.</param>
    /// <param name="message">The message of SQLite.</param>
    /// <param name="what">What could not be done, as the first part of the message.</param>
    public static StorageException Translate(int resultCode, string message, string what)
    {
        var fault = (resultCode & 0xff) switch
        {
            // The index of the log cannot grow. SQLite has no separate code for a full disk here.
            raw.SQLITE_IOERR when resultCode == raw.SQLITE_IOERR_SHMSIZE => StorageFault.Full,
            raw.SQLITE_FULL => StorageFault.Full,
            raw.SQLITE_READONLY or raw.SQLITE_PERM => StorageFault.ReadOnly,
            raw.SQLITE_CORRUPT or raw.SQLITE_NOTADB => StorageFault.Damaged,
            _ => StorageFault.Unavailable,
        };
        return new StorageException(fault, $"{what}: SQLite says '{message}' (code {resultCode}).");
    }
}
