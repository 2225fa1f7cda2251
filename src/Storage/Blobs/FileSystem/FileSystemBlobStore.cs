using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Granary.Protocol;

namespace Granary.Storage.Blobs.FileSystem;

/// <summary>
/// Objects as files. The directory belongs to this process, so epochs are fenced in memory: when the process ends, so does every writer. Reads and writes run on
/// the caller's thread: they end in the page cache.
/// </summary>
public sealed class FileSystemBlobStore : IBlobStore
{
    private readonly ObjectPaths _paths;
    private readonly TimeProvider _time;
    private readonly DeletionPause _hold = new();

    // The newest epoch of each object that was taken since the start and is not sealed or deleted yet.
    private readonly ConcurrentDictionary<ObjectId, FileEpoch> _tails = new();

    private FileSystemBlobStore(ObjectPaths paths, TimeProvider time) => (_paths, _time) = (paths, time);

    /// <summary>Opens the store in a directory, and makes what is missing.</summary>
    /// <exception cref="IOException">The directories cannot be made.</exception>
    /// <exception cref="UnauthorizedAccessException">The directories cannot be made.</exception>
    public static FileSystemBlobStore Open(string root, TimeProvider? time = null)
    {
        var paths = new ObjectPaths(root);
        var parents = new HashSet<string>(StringComparer.Ordinal);
        foreach (var directory in paths.Directories())
        {
            if (!Directory.Exists(directory))
            {
                Directory.CreateDirectory(directory);
                parents.Add(Path.GetDirectoryName(directory)!);
            }
        }

        foreach (var parent in parents)
        {
            FileSync.Directory(parent);
        }

        return new FileSystemBlobStore(paths, time ?? TimeProvider.System);
    }

    /// <inheritdoc/>
    public ValueTask<IBlobWriter?> OpenWriterAsync(ObjectId id, long epoch, long offset, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var tail = _tails.GetOrAdd(id, static _ => new FileEpoch());
        lock (tail)
        {
            if (tail.Epoch > epoch)
            {
                throw new EpochFencedException(id, epoch);
            }

            tail.Epoch = epoch;
            try
            {
                return ValueTask.FromResult<IBlobWriter?>(FileBlobWriter.Open(id, _paths, tail, epoch, offset, _time.GetUtcNow()));
            }
            catch (Exception e) when (StorageErrors.IsFileSystem(e))
            {
                throw StorageErrors.Translate(e, $"Object {id} cannot be written");
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask<bool> SealAsync(ObjectId id, Digest digest, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            Fence(id);
            var isThere = await SyncThreads.RunAsync(() => Rename(_paths.Upload(id), _paths.Blob(id, digest)));
            if (isThere)
            {
                _tails.TryRemove(id, out _);
            }

            return isThere;
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
            throw StorageErrors.Translate(e, $"Object {id} cannot be sealed");
        }
    }

    /// <summary>From now on no sealed object is deleted, until the answer is disposed: deletions wait.</summary>
    public IDisposable PauseDeletions() => _hold.Enter();

    /// <inheritdoc/>
    public ValueTask<IBlobReader?> OpenAsync(ObjectId id, Digest digest, CancellationToken cancellationToken) =>
        Open(id, _paths.Blob(id, digest), cancellationToken);

    /// <inheritdoc/>
    public ValueTask<IBlobReader?> OpenUnsealedAsync(ObjectId id, CancellationToken cancellationToken) => Open(id, _paths.Upload(id), cancellationToken);

    /// <inheritdoc/>
    public async ValueTask DeleteAsync(ObjectId id, Digest? digest, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (digest is not null)
        {
            await _hold.WaitAsync(cancellationToken);
        }

        try
        {
            Fence(id);
            File.Delete(_paths.Upload(id));
            if (digest is { } known)
            {
                File.Delete(_paths.Blob(id, known));
            }

            _tails.TryRemove(id, out _);
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
            throw StorageErrors.Translate(e, $"Object {id} cannot be deleted");
        }
    }

    /// <inheritdoc/>
    public async ValueTask CheckAsync(CancellationToken cancellationToken)
    {
        var probe = Path.Combine(_paths.Uploads, "probe");
        try
        {
            await File.WriteAllBytesAsync(probe, [1], cancellationToken);
            File.Delete(probe);
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
            DeleteProbe(probe);
            throw StorageErrors.Translate(e, "The data directory cannot be written");
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<StoredObject> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await Task.Yield();
        foreach (var file in new DirectoryInfo(_paths.Uploads).EnumerateFiles())
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (ObjectId.TryParse(file.Name, out var id) && Describe(file, id, digest: null) is { } found)
            {
                yield return found;
            }
        }

        foreach (var file in new DirectoryInfo(_paths.Blobs).EnumerateFiles("*", SearchOption.AllDirectories))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (ObjectPaths.TryParseBlob(file.FullName, out var id, out var digest) && Describe(file, id, digest) is { } found)
            {
                yield return found;
            }
        }
    }

    private static void DeleteProbe(string probe)
    {
        try
        {
            File.Delete(probe);
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
            // The fault that kept it from being written is the one to tell.
        }
    }

    /// <summary>Gives a file its name, durably; false if it is gone.</summary>
    private static bool Rename(string from, string to)
    {
        try
        {
            if (File.Exists(from))
            {
                File.Move(from, to);
            }
        }
        catch (FileNotFoundException)
        {
            // The same call at the same time was faster.
        }

        if (!File.Exists(to))
        {
            return false;
        }

        // Also where somebody else has renamed it, who may not have come to this.
        FileSync.Directory(Path.GetDirectoryName(to)!);
        return true;
    }

    private static StoredObject? Describe(FileInfo file, ObjectId id, Digest? digest)
    {
        try
        {
            return new StoredObject(id, digest, file.Length, new DateTimeOffset(file.LastWriteTimeUtc, TimeSpan.Zero));
        }
        catch (FileNotFoundException)
        {
            // Sealed or deleted since the directory was read.
            return null;
        }
    }

    private static ValueTask<IBlobReader?> Open(ObjectId id, string path, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            // Delete is shared, so that a collection does not have to wait for a download.
            var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            return ValueTask.FromResult<IBlobReader?>(new FileBlobReader(handle));
        }
        catch (FileNotFoundException)
        {
            return ValueTask.FromResult<IBlobReader?>(null);
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
            throw StorageErrors.Translate(e, $"Object {id} cannot be read");
        }
    }

    /// <summary>No writer of any epoch writes from here on.</summary>
    private void Fence(ObjectId id)
    {
        if (_tails.TryGetValue(id, out var tail))
        {
            lock (tail)
            {
                tail.Epoch = long.MaxValue;
            }
        }
    }
}
