using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using Granary.Protocol;

namespace Granary.Storage.Blobs.FileSystem;

/// <summary>
/// Stores objects as files. The directory belongs to this process, so fences are kept in memory: when the process ends, its writers end
/// too. Reads and writes run on the caller's thread, because they end in the page cache.
/// </summary>
public sealed class FileSystemBlobStore : IBlobStore
{
    private readonly ObjectPaths _paths;
    private readonly TimeProvider _time;
    private readonly DeletionPause _deletions = new();

    // The newest epoch of each object that was opened for writing since the start and is not sealed or deleted yet.
    private readonly ConcurrentDictionary<ObjectId, FileEpoch> _epochs = new();

    private FileSystemBlobStore(ObjectPaths paths, TimeProvider time) => (_paths, _time) = (paths, time);

    /// <inheritdoc/>
    public bool ReadsUnsealed => true;

    /// <summary>Opens the store in a directory, and creates missing directories.</summary>
    /// <exception cref="IOException">A directory cannot be created.</exception>
    /// <exception cref="UnauthorizedAccessException">A directory cannot be created.</exception>
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

    /// <summary>Pauses the deletion of sealed objects until the answer is disposed: <see cref="DeleteAsync"/> waits.</summary>
    public IDisposable PauseDeletions() => _deletions.Begin();

    /// <inheritdoc/>
    public ValueTask<IBlobWriter?> OpenWriterAsync(ObjectId id, long epoch, long offset, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var newest = _epochs.GetOrAdd(id, static _ => new FileEpoch());
        lock (newest)
        {
            if (newest.Newest > epoch)
            {
                throw new EpochFencedException(id, epoch);
            }

            newest.Newest = epoch;
            try
            {
                var writer = FileBlobWriter.Open(this, id, _paths, newest, epoch, offset, _time.GetUtcNow());
                return ValueTask.FromResult<IBlobWriter?>(writer);
            }
            catch (Exception e) when (StorageErrors.IsFileSystem(e))
            {
                throw StorageErrors.Translate(e, $"Object {id} cannot be written");
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask<bool> SealAsync(ObjectId id, Digest digest, long size, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            Fence(id);
            var isSealed = await SyncThreads.RunAsync(() => ObjectFiles.Seal(_paths.Upload(id), _paths.Blob(id, digest), size));
            if (isSealed)
            {
                _epochs.TryRemove(id, out _);
            }

            return isSealed;
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
            throw StorageErrors.Translate(e, $"Object {id} cannot be sealed");
        }
    }

    /// <inheritdoc/>
    public ValueTask<IBlobReader?> OpenAsync(ObjectId id, Digest digest, ByteRange? expected, CancellationToken cancellationToken) =>
        Open(id, _paths.Blob(id, digest), cancellationToken);

    /// <inheritdoc/>
    public async ValueTask<IBlobReader?> OpenUnsealedAsync(ObjectId id, long size, CancellationToken cancellationToken)
    {
        if (await Open(id, _paths.Upload(id), cancellationToken) is not { } reader)
        {
            return null;
        }

        if (reader.Length >= size)
        {
            return reader;
        }

        await reader.DisposeAsync();
        return null;
    }

    /// <inheritdoc/>
    public async ValueTask DeleteAsync(ObjectId id, Digest? digest, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (digest is not null)
        {
            await _deletions.WaitAsync(cancellationToken);
        }

        try
        {
            Fence(id);
            File.Delete(_paths.Upload(id));
            if (digest is { } known)
            {
                File.Delete(_paths.Blob(id, known));
            }

            _epochs.TryRemove(id, out _);
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
            throw StorageErrors.Translate(e, $"Object {id} cannot be deleted");
        }
    }

    /// <inheritdoc/>
    public async ValueTask CheckAsync(CancellationToken cancellationToken)
    {
        try
        {
            await ObjectFiles.ProbeAsync(Path.Combine(_paths.Uploads, "probe"), cancellationToken);
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
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
            if (ObjectId.TryParse(file.Name, out var id) && ObjectFiles.Describe(file, id, digest: null) is { } found)
            {
                yield return found;
            }
        }

        foreach (var file in new DirectoryInfo(_paths.Blobs).EnumerateFiles("*", SearchOption.AllDirectories))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (ObjectPaths.TryParseBlob(file.FullName, out var id, out var digest) && ObjectFiles.Describe(file, id, digest) is { } found)
            {
                yield return found;
            }
        }
    }

    private static ValueTask<IBlobReader?> Open(ObjectId id, string path, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            return ValueTask.FromResult<IBlobReader?>(ObjectFiles.OpenReader(path));
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
            throw StorageErrors.Translate(e, $"Object {id} cannot be read");
        }
    }

    /// <summary>Fences the writers of all epochs: none of them writes after this returns.</summary>
    private void Fence(ObjectId id)
    {
        if (_epochs.TryGetValue(id, out var epoch))
        {
            lock (epoch)
            {
                epoch.Newest = long.MaxValue;
            }
        }
    }
}
