using System.Runtime.CompilerServices;
using Granary.Storage.Blobs.FileSystem;
using Granary.Storage.Partitions.Sqlite;

namespace Granary.Storage.Data;

/// <summary>
/// Backs up and restores a data directory. A backup is a directory of the same layout, without unfinished uploads. Its rows are of one
/// version of the database, and it has every object that they name. A second backup into the same directory copies the new objects and
/// removes the deleted ones. An interrupted backup leaves a whole backup in the directory: the old one or the new one.
/// </summary>
public static class DataBackup
{
    internal const string RestoreMarker = "restore.unfinished";

    private const string Unfinished = ".unfinished";

    /// <summary>Backs up a data directory that is in use. No object is deleted from it meanwhile.</summary>
    /// <param name="source">The data directory.</param>
    /// <param name="target">The backup's directory, as an absolute path. It is created if it does not exist.</param>
    /// <param name="cancellationToken">Ends the backup between two reads. The copied objects stay for the next one.</param>
    /// <returns>A step for each object, when it is processed.</returns>
    /// <exception cref="DataDirectoryException">The target cannot be used. The message says why.</exception>
    /// <exception cref="StorageException">The storage failed.</exception>
    public static async IAsyncEnumerable<CopyStep> WriteAsync(
        DataDirectory source,
        string target,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        CheckApart(source.Path, target);
        using var held = Lock(target);
        using var pause = source.Blobs.PauseDeletions();
        var metadata = Path.Combine(target, DataDirectory.MetadataFile);
        Guard(target, () =>
        {
            File.Delete(metadata + Unfinished);
            _ = FileSystemBlobStore.Open(target);
        });

        // :: Step 1: copy the rows. Every object that they name exists, and stays while deletions are paused.
        await Task.Run(() => source.Partitions.CopyTo(metadata + Unfinished), cancellationToken);

        // :: Step 2: copy the objects.
        await foreach (var step in ObjectCopies.CopyAsync(source.Path, target, cancellationToken))
        {
            yield return step;
        }

        // :: Step 3: replace the old backup by the new one.
        Guard(target, () =>
        {
            var format = Path.Combine(target, DataFormat.FileName);
            File.Copy(Path.Combine(source.Path, DataFormat.FileName), format, overwrite: true);
            FileSync.File(format);
            File.Move(metadata + Unfinished, metadata, overwrite: true);
            FileSync.Directory(target);
            ObjectCopies.RemoveDeleted(source.Path, target, cancellationToken);
        });
    }

    /// <summary>Restores a backup to a data directory. An interrupted restore can be repeated.</summary>
    /// <param name="backup">The backup's directory.</param>
    /// <param name="target">The data directory, which is empty or does not exist.</param>
    /// <param name="cancellationToken">Ends the restore between two reads.</param>
    /// <returns>A step for each object, when it is processed.</returns>
    /// <exception cref="DataDirectoryException">One of the directories cannot be used. The message says why.</exception>
    public static async IAsyncEnumerable<CopyStep> RestoreAsync(
        string backup,
        string target,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        (backup, target) = (Path.GetFullPath(backup), Path.GetFullPath(target));
        CheckIsBackup(backup);
        CheckApart(backup, target);
        using var source = Lock(backup);
        CheckIsWhole(backup);
        CheckIsEmpty(target);
        using var held = Lock(target);
        var marker = Path.Combine(target, RestoreMarker);
        Guard(target, () =>
        {
            File.WriteAllText(marker, "A backup is being restored here. If this stays, run 'granary restore' again.\n");
            _ = FileSystemBlobStore.Open(target);
        });
        await foreach (var step in ObjectCopies.CopyAsync(backup, target, cancellationToken))
        {
            yield return step;
        }

        // The format file comes last: no program opens the directory without it.
        Guard(target, () =>
        {
            CopyFile(backup, target, DataDirectory.MetadataFile);
            CopyFile(backup, target, DataFormat.FileName);
            File.Delete(marker);
            FileSync.Directory(target);
        });
    }

    /// <summary>Runs an action on a directory, and translates its failure for the operator.</summary>
    internal static void Guard(string path, Action action)
    {
        try
        {
            action();
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
            throw new DataDirectoryException($"'{path}' cannot be used. Mend the cause, or name another directory. ({e.Message})", e);
        }
    }

    private static void CopyFile(string from, string to, string name)
    {
        var unfinished = Path.Combine(to, name + Unfinished);
        File.Copy(Path.Combine(from, name), unfinished, overwrite: true);
        FileSync.File(unfinished);
        File.Move(unfinished, Path.Combine(to, name), overwrite: true);
        FileSync.Directory(to);
    }

    private static void CheckIsBackup(string backup)
    {
        if (!File.Exists(Path.Combine(backup, DataDirectory.MetadataFile)) || DataFormat.Read(backup) is null)
        {
            throw new DataDirectoryException(
                $"'{backup}' is not a backup, or one that was never finished: it has no '{DataDirectory.MetadataFile}' or no " +
                $"'{DataFormat.FileName}'. Name the directory of a finished backup.");
        }
    }

    private static void CheckIsWhole(string backup)
    {
        var metadata = Path.Combine(backup, DataDirectory.MetadataFile);
        if (SqlitePartitionStore.FindFault(metadata) is { } fault)
        {
            throw new DataDirectoryException($"'{metadata}' is damaged: {fault} Restore another backup.");
        }
    }

    /// <summary>Refuses a target with data, unless an interrupted restore left it.</summary>
    private static void CheckIsEmpty(string target)
    {
        if (Directory.Exists(target)
            && !File.Exists(Path.Combine(target, RestoreMarker))
            && Directory.EnumerateFileSystemEntries(target).Select(Path.GetFileName).Any(IsData))
        {
            throw new DataDirectoryException($"The data directory '{target}' is not empty. Name an empty or a new one with --data.");
        }
    }

    private static bool IsData(string? name) => name is not (DirectoryLock.FileName or "lost+found" or DataDirectory.BallastDirectory);

    private static void CheckApart(string source, string target)
    {
        var (a, b) = (WithSeparator(source), WithSeparator(target));
        if (a.StartsWith(b, StringComparison.Ordinal) || b.StartsWith(a, StringComparison.Ordinal))
        {
            throw new DataDirectoryException(
                $"'{target}' and '{source}' are the same directory, or one is inside the other. Name another one.");
        }
    }

    private static string WithSeparator(string path) => Path.TrimEndingDirectorySeparator(path) + Path.DirectorySeparatorChar;

    private static FileStream Lock(string path)
    {
        FileStream? held = null;
        Guard(path, () =>
        {
            Directory.CreateDirectory(path);
            held = DirectoryLock.Acquire(path);
        });
        return held!;
    }
}
