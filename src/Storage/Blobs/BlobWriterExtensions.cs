using System.Buffers;

namespace Granary.Storage.Blobs;

/// <summary>Writes bytes that lie in one buffer.</summary>
public static class BlobWriterExtensions
{
    /// <inheritdoc cref="IBlobWriter.WriteAsync"/>
    public static ValueTask WriteAsync(this IBlobWriter writer, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) =>
        writer.WriteAsync(new ReadOnlySequence<byte>(bytes), cancellationToken);
}
