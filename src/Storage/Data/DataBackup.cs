using System.Runtime.CompilerServices;
using Granary.Protocol;
using Granary.Storage.Blobs.FileSystem;
using Granary.Storage.Partitions.Sqlite;

namespace Granary.Storage.Data;

/// <summary>
/// Copies of a data directory. A backup is a directory of the same layout, without uploads that are not finished: its rows are those of one moment, and it has every object that they
/// speak of. A second backup into the same directory copies what is new and removes what has gone; whatever interrupts it, the directory holds one whole backup, the old or the new one.
/// </summary>
public static class DataBackup
{
    internal const string RestoreMarker = "restore.unfinished";

    private const string Unfinished = ".unfinished";
    private const int BufferSize = 1024 * 1024;

    /// <summary>Backs up a data directory that is in use. No object is deleted from it meanwhile.</summary>
    /// <param name="source">The data directory.</param>
    /// <param name="target">The backup's directory, as an absolute path; it is made if it is not there.</param>
    /// <param name="cancellationToken">Ends it between two reads; what was copied stays, for the next time.</param>
    /// <returns>A step for each object, as it is done.</returns>
    /// <exception cref="DataDirectoryException">The target cannot be used; the message says why.</exception>
    /// <exception cref="StorageException">A fault of the storage.</exception>
    public static async IAsyncEnumerable<CopyStep> WriteAsync(DataDirectory source, string target, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        CheckApart(source.Path, target);
        using var held = Occupy(target);
        using var hold = source.Blobs.PauseDeletions();
        var metadata = Path.Combine(target, DataDirectory.MetadataFile);
        Guard(target, () =>
        {
            File.Delete(metadata + Unfinished);
            _ = FileSystemBlobStore.Open(target);
        });

        // :: Step 1: the rows of one moment. Every object that they speak of is there, and stays as long as deletions are held.
        await Task.Run(() => source.Partitions.CopyTo(metadata + Unfinished), cancellationToken);

        // :: Step 2: the objects. They never change, so one that is there is right.
        await foreach (var step in CopyObjectsAsync(source.Path, target, cancellationToken))
        {
            yield return step;
        }

        // :: Step 3: the new backup takes the old one's place.
        Guard(target, () =>
        {
            File.Copy(Path.Combine(source.Path, DataDirectory.FormatFile), Path.Combine(target, DataDirectory.FormatFile), overwrite: true);
            FileSync.File(Path.Combine(target, DataDirectory.FormatFile));
            File.Move(metadata + Unfinished, metadata, overwrite: true);
            FileSync.Directory(target);
            RemoveGone(source.Path, target, cancellationToken);
        });
    }

    /// <summary>Makes a data directory of a backup. Interrupted, it can be repeated.</summary>
    /// <param name="backup">The backup's directory.</param>
    /// <param name="target">The data directory: empty, or not there yet.</param>
    /// <param name="cancellationToken">Ends it between two reads.</param>
    /// <returns>A step for each object, as it is done.</returns>
    /// <exception cref="DataDirectoryException">One of the directories cannot be used; the message says why.</exception>
    public static async IAsyncEnumerable<CopyStep> RestoreAsync(string backup, string target, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        (backup, target) = (Path.GetFullPath(backup), Path.GetFullPath(target));
        var metadata = Path.Combine(backup, DataDirectory.MetadataFile);
        if (!File.Exists(metadata) || DataDirectory.ReadFormat(backup) is null)
        {
            throw new DataDirectoryException($"'{backup}' is not a backup, or one that was never finished: it has no '{DataDirectory.MetadataFile}' or no '{DataDirectory.FormatFile}'.");
        }

        CheckApart(backup, target);
        using var source = Occupy(backup);
        if (SqlitePartitionStore.FindFault(metadata) is { } fault)
        {
            throw new DataDirectoryException($"'{metadata}' is damaged: {fault} Restore another backup.");
        }

        var marker = Path.Combine(target, RestoreMarker);
        if (Directory.Exists(target) && !File.Exists(marker)
            && Directory.EnumerateFileSystemEntries(target).Any(entry => Path.GetFileName(entry) is not ("lock" or "lost+found" or DataDirectory.BallastDirectory)))
        {
            throw new DataDirectoryException($"The data directory '{target}' is not empty. Name an empty or a new one with --data.");
        }

        using var held = Occupy(target);
        Guard(target, () =>
        {
            File.WriteAllText(marker, "A backup is being restored here. If this stays, run 'granary restore' again.\n");
            _ = FileSystemBlobStore.Open(target);
        });
        await foreach (var step in CopyObjectsAsync(backup, target, cancellationToken))
        {
            yield return step;
        }

        // :: The format comes last: without it no program serves this directory.
        Guard(target, () =>
        {
            foreach (var name in (string[])[DataDirectory.MetadataFile, DataDirectory.FormatFile])
            {
                var unfinished = Path.Combine(target, name + Unfinished);
                File.Copy(Path.Combine(backup, name), unfinished, overwrite: true);
                FileSync.File(unfinished);
                File.Move(unfinished, Path.Combine(target, name), overwrite: true);
                FileSync.Directory(target);
            }

            File.Delete(marker);
            FileSync.Directory(target);
        });
    }

    private static async IAsyncEnumerable<CopyStep> CopyObjectsAsync(string from, string to, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (source, target) = (new ObjectPaths(from), new ObjectPaths(to));
        var total = Files(source).LongCount();
        var buffer = new byte[BufferSize];
        foreach (var directory in source.Directories().Where(Directory.Exists).Where(directory => directory != source.Uploads && directory != source.Blobs))
        {
            var changed = default(string);
            foreach (var file in new DirectoryInfo(directory).EnumerateFiles())
            {
                if (!ObjectPaths.TryParseBlob(file.FullName, out var id, out var digest))
                {
                    continue;
                }

                var path = target.Blob(id, digest);
                var step = new CopyStep(total, file.Length, WasThere: true, Fault: null);
                if (!File.Exists(path) || new FileInfo(path).Length != file.Length)
                {
                    var fault = await CopyAsync(file.FullName, path, digest, buffer, cancellationToken);
                    (step, changed) = (step with { WasThere = false, Fault = fault }, target.BlobDirectory(digest));
                }

                yield return step;
            }

            if (changed is not null)
            {
                Guard(to, () => FileSync.Directory(changed));
            }
        }
    }

    /// <summary>Copies an object under a name of no meaning, syncs it and names it. What is damaged is copied too: the rows know, or a scrub will find out.</summary>
    private static async Task<string?> CopyAsync(string from, string to, Digest digest, byte[] buffer, CancellationToken cancellationToken)
    {
        try
        {
            using var hash = new RunningHash(digest.Algorithm);
            using (var source = File.OpenHandle(from, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, FileOptions.SequentialScan))
            using (var target = File.OpenHandle(to + Unfinished, FileMode.Create, FileAccess.Write))
            {
                for (var offset = 0L; await RandomAccess.ReadAsync(source, buffer, offset, cancellationToken) is > 0 and var count; offset += count)
                {
                    hash.Append(buffer.AsSpan(0, count));
                    RandomAccess.Write(target, buffer.AsSpan(0, count), offset);
                }

                RandomAccess.FlushToDisk(target);
            }

            File.Move(to + Unfinished, to, overwrite: true);
            return hash.ToDigest() == digest ? null : $"The bytes of '{from}' are not what its name says: it is damaged.";
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
            throw StorageErrors.Translate(e, $"'{from}' cannot be copied");
        }
    }

    private static void RemoveGone(string from, string to, CancellationToken cancellationToken)
    {
        var (source, target) = (new ObjectPaths(from), new ObjectPaths(to));
        foreach (var file in Directory.EnumerateFiles(target.Blobs, "*", SearchOption.AllDirectories))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (!ObjectPaths.TryParseBlob(file, out var id, out var digest) || !File.Exists(source.Blob(id, digest)))
            {
                File.Delete(file);
            }
        }
    }

    private static IEnumerable<string> Files(ObjectPaths paths) => Directory.EnumerateFiles(paths.Blobs, "*", SearchOption.AllDirectories);

    private static void CheckApart(string source, string target)
    {
        var (a, b) = (Path.TrimEndingDirectorySeparator(source) + Path.DirectorySeparatorChar, Path.TrimEndingDirectorySeparator(target) + Path.DirectorySeparatorChar);
        if (a.StartsWith(b, StringComparison.Ordinal) || b.StartsWith(a, StringComparison.Ordinal))
        {
            throw new DataDirectoryException($"'{target}' and '{source}' are the same directory, or one is inside the other. Name another one.");
        }
    }

    private static FileStream Occupy(string path)
    {
        FileStream? held = null;
        Guard(path, () =>
        {
            Directory.CreateDirectory(path);
            held = DataDirectory.Lock(path);
        });
        return held!;
    }

    private static void Guard(string path, Action action)
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
}

/// <summary>An object was copied.</summary>
/// <param name="Total">How many objects there are.</param>
/// <param name="Length">Its bytes.</param>
/// <param name="WasThere">Whether it was there already.</param>
/// <param name="Fault">What is wrong with it; null if nothing is.</param>
public sealed record CopyStep(long Total, long Length, bool WasThere, string? Fault);
