using System.Globalization;
using System.Text;
using Granary.Storage.Blobs.FileSystem;
using Granary.Storage.Partitions.Sqlite;
using Granary.Storage.Space;

namespace Granary.Storage.Data;

/// <summary>
/// The directory that holds everything of an embedded registry, open for one process:
/// <code>
/// lock                                     held while a process has the directory open
/// format                                   version of the layout, id of the cluster, and whether rows are still to be upgraded; made first
/// metadata.db                              partitions (SQLite, with -wal and -shm beside it)
/// uploads/&lt;object&gt;                         bytes of uploads that are not finished
/// blobs/&lt;algorithm&gt;/&lt;2 hex&gt;/&lt;hex&gt;.&lt;object&gt;  bytes of blobs, under their digest
/// ballast/                                 room that is given up when the disk is full, so that the server starts and deletes
/// </code>
/// </summary>
public sealed class DataDirectory : IDisposable
{
    /// <summary>
    /// The version of the layout that this program reads and writes; older ones are upgraded. 2: large values lie outside of the tree of rows. 3: a manifest is one row, with what it names.
    /// </summary>
    public const int FormatVersion = 3;

    internal const string MetadataFile = "metadata.db";
    internal const string FormatFile = "format";
    internal const string BallastDirectory = "ballast";

    private const string FormatHeader = "granary-data ";
    private const string ClusterHeader = "cluster ";
    private const string OldRowsLine = "upgrading rows";

    private readonly FileStream _lock;

    private DataDirectory(
        string path,
        FileStream @lock,
        Guid clusterId,
        bool hasOldRows,
        DiskSpace space,
        SqlitePartitionStore partitions,
        FileSystemBlobStore blobs)
    {
        Path = path;
        _lock = @lock;
        ClusterId = clusterId;
        HasOldRows = hasOldRows;
        Space = space;
        Partitions = partitions;
        Blobs = blobs;
    }

    /// <summary>The directory, as an absolute path.</summary>
    public string Path { get; }

    /// <summary>Made with the directory; what belongs to other clusters is not mixed in.</summary>
    public Guid ClusterId { get; }

    /// <summary>Whether there may be rows that were written in an older format: who knows what they mean has to upgrade them, and then say so (<see cref="RowsAreUpgraded"/>).</summary>
    public bool HasOldRows { get; private set; }

    /// <summary>The free space of its file system.</summary>
    public DiskSpace Space { get; }

    /// <summary>The rows.</summary>
    public SqlitePartitionStore Partitions { get; }

    /// <summary>The objects.</summary>
    public FileSystemBlobStore Blobs { get; }

    /// <summary>
    /// Opens a data directory, or makes one where there is none or an empty one. One that is there is opened on a full disk, too.
    /// </summary>
    /// <param name="path">The directory.</param>
    /// <param name="time">The time; null for the system's.</param>
    /// <param name="reserve">How much of its file system is kept free from pushes.</param>
    /// <exception cref="DataDirectoryException">It cannot be used; the message says why and what to do.</exception>
    public static DataDirectory Open(string path, TimeProvider? time = null, ByteSize reserve = default)
    {
        path = System.IO.Path.GetFullPath(path);
        FileStream? held = null;
        DiskSpace? space = null;
        SqlitePartitionStore? partitions = null;
        try
        {
            Directory.CreateDirectory(path);
            held = Lock(path);
            var (version, clusterId, hasOldRows) = ReadFormat(path) ?? (FormatVersion, Create(path), false);
            space = new DiskSpace(path, reserve, time ?? TimeProvider.System);
            var blobs = WithRoom(space, () => FileSystemBlobStore.Open(path, time));
            partitions = WithRoom(space, () => new SqlitePartitionStore(System.IO.Path.Combine(path, MetadataFile), time, space));
            FileSync.Directory(path);
            if (version < FormatVersion)
            {
                // Before any row of the new format is written, and after the upgrade of the tables: if that fails, the older program still reads and writes the directory.
                hasOldRows = true;
                WithRoom(space, () => WriteFormat(path, clusterId, hasOldRows));
            }

            space.MakeBallast();
            return new DataDirectory(path, held, clusterId, hasOldRows, space, partitions, blobs);
        }
        catch (Exception e)
        {
            partitions?.Dispose();
            space?.Dispose();
            held?.Dispose();
            throw e switch
            {
                DataDirectoryException => e,
                StorageException { Fault: StorageFault.Damaged } => new DataDirectoryException(
                    $"The data directory '{path}' cannot be used, because its database is damaged. {e.Message} " +
                    "Restore a backup with 'granary restore', or see docs/operations.md, \"Backup and restore\", for what can be saved " +
                    "without one.", e),
                StorageException { Fault: StorageFault.Full } => IsFull(path, e),
                IOException when StorageErrors.Translate(e, path).Fault == StorageFault.Full => IsFull(path, e),
                StorageException => new DataDirectoryException($"The data directory '{path}' cannot be used. {e.Message}", e),
                UnauthorizedAccessException => new DataDirectoryException(
                    $"The data directory '{path}' is not writable for this user. Mend its permissions, or name another one with --data. ({e.Message})", e),
                IOException => new DataDirectoryException(
                    $"The data directory '{path}' cannot be used. Mend the cause, or name another one with --data. ({e.Message})", e),
                _ => e,
            };
        }
    }

    /// <summary>Remembers that all rows are of this format.</summary>
    /// <exception cref="IOException">That cannot be written.</exception>
    public void RowsAreUpgraded()
    {
        WithRoom(Space, () => WriteFormat(Path, ClusterId, hasOldRows: false));
        HasOldRows = false;
    }

    /// <summary>Closes everything; another process can open the directory then.</summary>
    public void Dispose()
    {
        Partitions.Dispose();

        // After the database, whose log may have been the last room on a full disk.
        Space.Dispose();
        _lock.Dispose();
    }

    internal static FileStream Lock(string path)
    {
        var file = System.IO.Path.Combine(path, "lock");
        try
        {
            return new FileStream(file, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e) when (File.Exists(file) && StorageErrors.Translate(e, file).Fault == StorageFault.Unavailable)
        {
            throw new DataDirectoryException(
                $"The data directory '{path}' is in use by another process. Stop that one first, or name another directory with --data.", e);
        }
    }

    internal static (int Version, Guid ClusterId, bool HasOldRows)? ReadFormat(string path)
    {
        var file = System.IO.Path.Combine(path, FormatFile);
        if (!File.Exists(file))
        {
            return null;
        }

        var lines = File.ReadAllLines(file);
        if (lines.Length < 2
            || !lines[0].StartsWith(FormatHeader, StringComparison.Ordinal)
            || !int.TryParse(lines[0].AsSpan(FormatHeader.Length), NumberStyles.None, CultureInfo.InvariantCulture, out var version)
            || !lines[1].StartsWith(ClusterHeader, StringComparison.Ordinal)
            || !Guid.TryParseExact(lines[1].AsSpan(ClusterHeader.Length), "N", out var clusterId))
        {
            throw new DataDirectoryException(
                $"'{file}' is damaged. It has to say '{FormatHeader}{FormatVersion}' and, in the next line, '{ClusterHeader}' and 32 hexadecimal digits. " +
                "Restore it from a backup.");
        }

        return version <= FormatVersion
            ? (version, clusterId, lines.Contains(OldRowsLine))
            : throw new DataDirectoryException(
                $"The data directory '{path}' was written by a newer release (format {version}; this one knows {FormatVersion}). Start that release, or name another directory with --data.");
    }

    /// <summary>Makes the format file first, durably: whatever is found beside it later has a known format.</summary>
    private static Guid Create(string path)
    {
        if (File.Exists(System.IO.Path.Combine(path, DataBackup.RestoreMarker)))
        {
            throw new DataDirectoryException($"A backup was being restored to the data directory '{path}', and that broke off. Run 'granary restore' again.");
        }

        if (Directory.EnumerateFileSystemEntries(path).FirstOrDefault(entry => System.IO.Path.GetFileName(entry) is not ("lock" or "lost+found" or "format.new" or BallastDirectory)) is { } stranger)
        {
            throw new DataDirectoryException(
                $"The data directory '{path}' has no 'format' file but is not empty ('{System.IO.Path.GetFileName(stranger)}'): it is not a data directory of this program. " +
                "Name an empty or a new one with --data.");
        }

        var clusterId = Guid.NewGuid();
        WriteFormat(path, clusterId, hasOldRows: false);
        if (Directory.GetParent(path) is { } parent)
        {
            FileSync.Directory(parent.FullName);
        }

        return clusterId;
    }

    /// <summary>Does something that has to have room. On a full disk the ballast gives it.</summary>
    private static T WithRoom<T>(DiskSpace space, Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (NeedsRoom(e) && space.ReleaseBallast())
        {
            return action();
        }
    }

    private static void WithRoom(DiskSpace space, Action action) => WithRoom(space, () =>
    {
        action();
        return true;
    });

    /// <summary>
    /// Whether room may help. A database may lack the inodes for its log, and then says no more than that it cannot be opened.
    /// </summary>
    private static bool NeedsRoom(Exception exception) => exception switch
    {
        StorageException { Fault: var fault } => fault is StorageFault.Full or StorageFault.Unavailable,
        IOException => StorageErrors.Translate(exception, "").Fault == StorageFault.Full,
        _ => false,
    };

    private static DataDirectoryException IsFull(string path, Exception cause) => new(
        $"The data directory '{path}' cannot be used, because its file system is full. Make room there, or name another directory with " +
        $"--data. ({cause.Message})",
        cause);

    private static void WriteFormat(string path, Guid clusterId, bool hasOldRows)
    {
        var unfinished = System.IO.Path.Combine(path, "format.new");
        using (var file = new FileStream(unfinished, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            file.Write(Encoding.ASCII.GetBytes($"{FormatHeader}{FormatVersion}\n{ClusterHeader}{clusterId:N}\n{(hasOldRows ? OldRowsLine + "\n" : "")}"));
            file.Flush(flushToDisk: true);
        }

        File.Move(unfinished, System.IO.Path.Combine(path, FormatFile), overwrite: true);
        FileSync.Directory(path);
    }
}

/// <summary>A data directory cannot be used. The message is for the operator.</summary>
public sealed class DataDirectoryException(string message, Exception? innerException = null) : Exception(message, innerException);
