using System.Buffers;
using Granary.Protocol;
using Microsoft.Win32.SafeHandles;

namespace Granary.Storage.Blobs.FileSystem;

/// <summary>Appends to a file under one epoch.</summary>
internal sealed class FileBlobWriter : IBlobWriter
{
    private readonly FileSystemBlobStore _store;
    private readonly ObjectId _id;
    private readonly FileEpoch _newest;
    private readonly long _epoch;
    private readonly SafeFileHandle _file;
    private List<ReadOnlyMemory<byte>>? _pieces;
    private string? _directoryToSync;

    private FileBlobWriter(
        FileSystemBlobStore store,
        ObjectId id,
        FileEpoch newest,
        long epoch,
        SafeFileHandle file,
        long length,
        string? directoryToSync)
    {
        (_store, _id, _newest, _epoch, _file) = (store, id, newest, epoch, file);
        (Length, _directoryToSync) = (length, directoryToSync);
    }

    /// <inheritdoc/>
    public long Length { get; private set; }

    /// <summary>
    /// Opens or creates the file, and truncates it to <paramref name="offset"/>. The caller holds the lock of <paramref name="newest"/>.
    /// </summary>
    public static FileBlobWriter? Open(
        FileSystemBlobStore store,
        ObjectId id,
        ObjectPaths paths,
        FileEpoch newest,
        long epoch,
        long offset,
        DateTimeOffset now)
    {
        var path = paths.Upload(id);
        var isNew = offset == 0 && !File.Exists(path);
        SafeFileHandle file;
        try
        {
            var mode = isNew ? FileMode.CreateNew : FileMode.Open;
            file = File.OpenHandle(path, mode, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (FileNotFoundException)
        {
            return null;
        }

        var length = RandomAccess.GetLength(file);
        if (length < offset)
        {
            file.Dispose();
            return null;
        }

        if (length > offset)
        {
            RandomAccess.SetLength(file, offset);
        }

        // Counts as a write, so that a scrub does not take the file of a continued upload for an orphan.
        if (!isNew)
        {
            File.SetLastWriteTimeUtc(file, now.UtcDateTime);
        }

        // Without a durable byte, the name may not be durable either: an earlier process may have ended before it synced the directory.
        return new FileBlobWriter(store, id, newest, epoch, file, offset, offset == 0 ? paths.Uploads : null);
    }

    /// <inheritdoc/>
    public ValueTask WriteAsync(ReadOnlySequence<byte> bytes, CancellationToken cancellationToken)
    {
        try
        {
            // Inside the lock: the next epoch truncates the file after this write. Otherwise the write could land behind the truncation.
            lock (_newest)
            {
                CheckEpoch();
                Write(bytes);
                Length += bytes.Length;
            }

            return ValueTask.CompletedTask;
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
            throw StorageErrors.Translate(e, $"Object {_id} cannot be written");
        }
    }

    /// <inheritdoc/>
    public async ValueTask FlushAsync(Digest? content, CancellationToken cancellationToken)
    {
        try
        {
            await SyncThreads.RunAsync(() =>
            {
                RandomAccess.FlushToDisk(_file);
                if (_directoryToSync is { } directory)
                {
                    FileSync.Directory(directory);
                    _directoryToSync = null;
                }

                return true;
            });
            lock (_newest)
            {
                CheckEpoch();
            }
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
            throw StorageErrors.Translate(e, $"Object {_id} cannot be written");
        }
    }

    /// <inheritdoc/>
    public ValueTask<bool> SealAsync(Digest digest, CancellationToken cancellationToken) =>
        _store.SealAsync(_id, digest, Length, cancellationToken);

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _file.Dispose();
        return ValueTask.CompletedTask;
    }

    private void Write(ReadOnlySequence<byte> bytes)
    {
        if (bytes.IsSingleSegment)
        {
            RandomAccess.Write(_file, bytes.FirstSpan, Length);
            return;
        }

        // Writes all pieces in one system call.
        _pieces ??= [];
        foreach (var piece in bytes)
        {
            _pieces.Add(piece);
        }

        RandomAccess.Write(_file, _pieces, Length);
        _pieces.Clear();
    }

    private void CheckEpoch()
    {
        if (_newest.Newest != _epoch)
        {
            throw new EpochFencedException(_id, _epoch);
        }
    }
}
