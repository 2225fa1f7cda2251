using Granary.Protocol.Units;
using Granary.Storage.Blobs.FileSystem;
using Granary.Storage.Partitions.Sqlite;
using Granary.Storage.Space;

namespace Granary.Storage.Data;

/// <summary>
/// The directory with everything that an embedded server stores, open for one process:
/// <code>
/// lock                                     held while a process has the directory open
/// format                                   version of the layout, id of the cluster, whether rows await their upgrade; made first
/// metadata.db                              partitions (SQLite, with -wal and -shm beside it)
/// uploads/&lt;object&gt;                         bytes of unfinished uploads
/// blobs/&lt;algorithm&gt;/&lt;2 hex&gt;/&lt;hex&gt;.&lt;object&gt;  bytes of blobs, under their digest
/// ballast/                                 room that is released when the disk is full, so that the server starts and deletes
/// </code>
/// </summary>
public sealed class DataDirectory : IDisposable
{
    /// <summary>
    /// The version of the layout that this program reads and writes. It upgrades older ones. Version 2 stores large values outside of the
    /// tree of rows. Version 3 stores a manifest, with what it names, in one row.
    /// Version 4 has the log of repositories.
    /// </summary>
    public const int FormatVersion = 4;

    internal const string MetadataFile = "metadata.db";
    internal const string BallastDirectory = "ballast";

    private readonly FileStream _lock;
    private DataFormat _format;

    private DataDirectory(
        string path,
        FileStream @lock,
        DataFormat format,
        DiskSpace space,
        SqlitePartitionStore partitions,
        FileSystemBlobStore blobs)
    {
        Path = path;
        _lock = @lock;
        _format = format;
        Space = space;
        Partitions = partitions;
        Blobs = blobs;
    }

    /// <summary>The directory, as an absolute path.</summary>
    public string Path { get; }

    /// <summary>The id of the cluster, made with the directory. It keeps data of different clusters apart.</summary>
    public Guid ClusterId => _format.ClusterId;

    /// <summary>
    /// Whether rows of an older format may be left. The server upgrades them and then calls <see cref="MarkRowsUpgraded"/>.
    /// </summary>
    public bool HasOldRows => _format.HasOldRows;

    /// <summary>The free space of its file system.</summary>
    public DiskSpace Space { get; }

    /// <summary>The rows.</summary>
    public SqlitePartitionStore Partitions { get; }

    /// <summary>The objects.</summary>
    public FileSystemBlobStore Blobs { get; }

    /// <summary>
    /// Opens a data directory. Creates one in a directory that is missing or empty. An existing one opens on a full disk too.
    /// </summary>
    /// <param name="path">The directory.</param>
    /// <param name="time">The time; null for the system's.</param>
    /// <param name="reserve">How much of its file system is kept from pushes.</param>
    /// <exception cref="DataDirectoryException">The directory cannot be used. The message says why, and what to do.</exception>
    public static DataDirectory Open(string path, TimeProvider? time = null, ByteSize reserve = default)
    {
        path = System.IO.Path.GetFullPath(path);
        FileStream? held = null;
        DiskSpace? space = null;
        SqlitePartitionStore? partitions = null;
        try
        {
            Directory.CreateDirectory(path);
            RefuseForeign(path);
            held = DirectoryLock.Acquire(path);
            var format = DataFormat.Read(path) ?? Create(path);
            space = new DiskSpace(path, reserve, time ?? TimeProvider.System);
            var blobs = WithRoom(space, () => FileSystemBlobStore.Open(path, time));
            partitions = WithRoom(space, () => new SqlitePartitionStore(System.IO.Path.Combine(path, MetadataFile), time, space));
            FileSync.Directory(path);
            if (format.Version < FormatVersion)
            {
                // After the upgrade of the tables: if that fails, the older program can still open the directory. Before the first row of
                // the new format: the older program must not read one.
                format = WriteFormat(space, path, new DataFormat(FormatVersion, format.ClusterId, HasOldRows: true));
            }

            space.MakeBallast();
            return new DataDirectory(path, held, format, space, partitions, blobs);
        }
        catch (Exception e)
        {
            partitions?.Dispose();
            space?.Dispose();
            held?.Dispose();
            if (DataDirectoryFaults.Translate(e, path) is var fault && fault != e)
            {
                throw fault;
            }

            throw;
        }
    }

    /// <summary>Records in the format file, durably, that all rows have the current format.</summary>
    /// <exception cref="IOException">The file cannot be written.</exception>
    public void MarkRowsUpgraded() => _format = WriteFormat(Space, Path, _format with { HasOldRows = false });

    /// <summary>Closes everything. Another process can then open the directory.</summary>
    public void Dispose()
    {
        Partitions.Dispose();

        // After the database: on a full disk, only the removal of its log may free the room for the ballast.
        Space.Dispose();
        _lock.Dispose();
    }

    /// <summary>Creates the format file of a new data directory, durably, before any other file.</summary>
    private static DataFormat Create(string path)
    {
        if (File.Exists(System.IO.Path.Combine(path, DataBackup.RestoreMarker)))
        {
            throw new DataDirectoryException(
                $"A backup was being restored to the data directory '{path}', and that broke off. Run 'granary restore' again.");
        }

        var format = new DataFormat(FormatVersion, Guid.NewGuid(), HasOldRows: false);
        format.Write(path);
        if (Directory.GetParent(path) is { } parent)
        {
            FileSync.Directory(parent.FullName);
        }

        return format;
    }

    /// <summary>Refuses a directory with other content, before the program writes anything into it.</summary>
    private static void RefuseForeign(string path)
    {
        // Another process may be creating a data directory here. Its format file comes before all files that count as foreign.
        var stranger = Directory.EnumerateFileSystemEntries(path).Select(System.IO.Path.GetFileName).FirstOrDefault(IsForeign);
        string[] known = [DataFormat.FileName, DataBackup.RestoreMarker];
        if (stranger is not null && !known.Any(name => File.Exists(System.IO.Path.Combine(path, name))))
        {
            throw new DataDirectoryException(
                $"The data directory '{path}' has no 'format' file but is not empty ('{stranger}'): it is not a data directory of this " +
                "program. Name an empty or a new one with --data.");
        }
    }

    /// <summary>Returns whether a directory with an entry of this name is no new data directory.</summary>
    private static bool IsForeign(string? name) =>
        name is not (DirectoryLock.FileName or "lost+found" or DataFormat.UnfinishedName or BallastDirectory);

    private static DataFormat WriteFormat(DiskSpace space, string path, DataFormat format) => WithRoom(space, () =>
    {
        format.Write(path);
        return format;
    });

    /// <summary>Runs an action, and once more after the release of the ballast if the disk is full.</summary>
    private static T WithRoom<T>(DiskSpace space, Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (DataDirectoryFaults.NeedsRoom(e) && space.ReleaseBallast())
        {
            return action();
        }
    }
}
