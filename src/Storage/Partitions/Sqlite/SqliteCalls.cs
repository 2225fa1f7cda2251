using System.Runtime.InteropServices;

namespace Granary.Storage.Partitions.Sqlite;

/// <summary>
/// SQLite's functions for one row or value. They take bare handles: counting references to a statement in each call, as the package's own do, was a fifth of a long scan.
/// Who calls them owns the statement, and nobody else has it (<see cref="SqliteDatabase"/>).
/// </summary>
/// <remarks>Those that only look at the current row finish in nanoseconds, and need not tell the garbage collector that they have left.</remarks>
internal static partial class SqliteCalls
{
    // Found beside the program, where its package puts it: nothing of that name is the system's.
    private const string Library = "e_sqlite3";

    [LibraryImport(Library, EntryPoint = "sqlite3_step")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories | DllImportSearchPath.AssemblyDirectory)]
    public static partial int Step(nint statement);

    [LibraryImport(Library, EntryPoint = "sqlite3_reset")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories | DllImportSearchPath.AssemblyDirectory)]
    public static partial int Reset(nint statement);

    [LibraryImport(Library, EntryPoint = "sqlite3_bind_int64")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories | DllImportSearchPath.AssemblyDirectory)]
    public static partial int BindNumber(nint statement, int index, long value);

    [LibraryImport(Library, EntryPoint = "sqlite3_bind_text")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories | DllImportSearchPath.AssemblyDirectory)]
    public static partial int BindText(nint statement, int index, ReadOnlySpan<byte> value, int length, nint destructor);

    [LibraryImport(Library, EntryPoint = "sqlite3_bind_blob")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories | DllImportSearchPath.AssemblyDirectory)]
    public static partial int BindBytes(nint statement, int index, ReadOnlySpan<byte> value, int length, nint destructor);

    [LibraryImport(Library, EntryPoint = "sqlite3_column_int64")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories | DllImportSearchPath.AssemblyDirectory)]
    [SuppressGCTransition]
    public static partial long Number(nint statement, int column);

    /// <summary>The value as bytes, text as UTF-8; they are there until the next step.</summary>
    public static unsafe ReadOnlySpan<byte> Bytes(nint statement, int column)
    {
        // In this order: the first makes of the value what the second measures.
        var bytes = Blob(statement, column);
        return new ReadOnlySpan<byte>(bytes, Length(statement, column));
    }

    [LibraryImport(Library, EntryPoint = "sqlite3_column_blob")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories | DllImportSearchPath.AssemblyDirectory)]
    [SuppressGCTransition]
    private static unsafe partial byte* Blob(nint statement, int column);

    [LibraryImport(Library, EntryPoint = "sqlite3_column_bytes")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories | DllImportSearchPath.AssemblyDirectory)]
    [SuppressGCTransition]
    private static partial int Length(nint statement, int column);
}
