using Granary.Protocol;
using Microsoft.Win32.SafeHandles;

namespace Granary.Storage.Blobs.FileSystem;

/// <summary>Reads an open file. It stays readable after its name is deleted.</summary>
internal sealed class FileBlobReader(SafeFileHandle file) : IBlobReader
{
    /// <inheritdoc/>
    public long Length { get; } = RandomAccess.GetLength(file);

    /// <inheritdoc/>
    public void Expect(ByteRange range)
    {
        // The operating system reads ahead by itself.
    }

    /// <inheritdoc/>
    public ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        try
        {
            return ValueTask.FromResult(RandomAccess.Read(file, buffer.Span, offset));
        }
        catch (Exception e) when (StorageErrors.IsFileSystem(e))
        {
            throw StorageErrors.Translate(e, "An object cannot be read");
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        file.Dispose();
        return ValueTask.CompletedTask;
    }
}
