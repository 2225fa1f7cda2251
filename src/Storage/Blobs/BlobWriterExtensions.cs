using System.Buffers;

namespace Granary.Storage.Blobs;

/// <summary>Shorter forms of a writer's calls.</summary>
public static class BlobWriterExtensions
{
    /// <inheritdoc cref="IBlobWriter.WriteAsync"/>
    public static ValueTask WriteAsync(this IBlobWriter writer, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken) =>
        writer.WriteAsync(new ReadOnlySequence<byte>(bytes), cancellationToken);

    /// <summary>Makes all appended bytes durable. More can follow.</summary>
    public static ValueTask FlushAsync(this IBlobWriter writer, CancellationToken cancellationToken) =>
        writer.FlushAsync(content: null, cancellationToken);
}
