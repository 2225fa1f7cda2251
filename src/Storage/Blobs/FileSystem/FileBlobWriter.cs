using System.Buffers;
using Granary.Protocol;
using Microsoft.Win32.SafeHandles;

namespace Granary.Storage.Blobs.FileSystem;

/// <summary>The writer of one epoch of a file.</summary>
internal sealed class FileBlobWriter : IBlobWriter
{
    private readonly ObjectId _id;
    private readonly FileEpoch _tail;
    private readonly long _epoch;
    private readonly SafeFileHandle _file;
    private List<ReadOnlyMemory<byte>>? _pieces;
    private string? _directoryToSync;

    private FileBlobWriter(ObjectId id, FileEpoch tail, long epoch, SafeFileHandle file, long length, string? directoryToSync)
    {
        (_id, _tail, _epoch, _file, Length, _directoryToSync) = (id, tail, epoch, file, length, directoryToSync);
    }

    /// <inheritdoc/>
    public long Length { get; private set; }

    /// <summary>Opens or creates the file, and cuts off what does not count. The caller has the lock of <paramref name="tail"/>.</summary>
    public static FileBlobWriter? Open(ObjectId id, ObjectPaths paths, FileEpoch tail, long epoch, long offset, DateTimeOffset now)
    {
        var path = paths.Upload(id);
        var isNew = offset == 0 && !File.Exists(path);
        SafeFileHandle file;
        try
        {
            file = File.OpenHandle(path, isNew ? FileMode.CreateNew : FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
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

        // Whoever takes an object will need it: to a scrub that is as good as a write.
        if (!isNew)
        {
            File.SetLastWriteTimeUtc(file, now.UtcDateTime);
        }

        // A file that an earlier process made, and did not live to sync, has no durable name either.
        return new FileBlobWriter(id, tail, epoch, file, offset, offset == 0 ? paths.Uploads : null);
    }

    /// <inheritdoc/>
    public ValueTask WriteAsync(ReadOnlySequence<byte> bytes, CancellationToken cancellationToken)
    {
        try
        {
            // Under the lock: whoever takes the object next truncates it after this write, not before.
            lock (_tail)
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
    public async ValueTask FlushAsync(CancellationToken cancellationToken)
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
            lock (_tail)
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

        // One system call for all pieces.
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
        if (_tail.Epoch != _epoch)
        {
            throw new EpochFencedException(_id, _epoch);
        }
    }
}
