using Granary.Protocol;

namespace Granary.Grains.Interfaces.Blobs;

/// <summary>Where the bytes of a blob are: in an object of the blob store, or right here.</summary>
[GenerateSerializer, Immutable, Alias("granary.blob-content")]
public abstract record BlobContent
{
    /// <summary>
    /// The largest content that is kept in rows and may be in a message, in bytes. Creating a file costs more than all else that a small push does
    /// (docs/architecture.md, "Bytes"), and most blobs by number are smaller than this.
    /// </summary>
    public const int MaxInlineSize = 32 * 1024;

    private protected BlobContent()
    {
    }

    /// <summary>Bytes.</summary>
    public abstract long Size { get; }
}

/// <summary>A blob in an object of its own.</summary>
/// <param name="Object">The object, sealed under the blob's digest.</param>
/// <param name="ObjectSize">Bytes.</param>
[GenerateSerializer, Immutable, Alias("granary.object-content")]
public sealed record ObjectContent([property: Id(0)] ObjectId Object, [property: Id(1)] long ObjectSize) : BlobContent
{
    /// <inheritdoc/>
    public override long Size => ObjectSize;
}

/// <summary>A small blob.</summary>
/// <param name="Bytes">The content, at most <see cref="BlobContent.MaxInlineSize"/> bytes. Nobody writes to them.</param>
[GenerateSerializer, Immutable, Alias("granary.inline-content")]
public sealed record InlineContent([property: Id(0)] byte[] Bytes) : BlobContent
{
    /// <inheritdoc/>
    public override long Size => Bytes.Length;
}
