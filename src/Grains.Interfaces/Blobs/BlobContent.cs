using Granary.Protocol;

namespace Granary.Grains.Interfaces.Blobs;

/// <summary>The bytes of a blob: in an object of the blob store, or in the message itself.</summary>
[GenerateSerializer, Immutable, Alias("granary.blob-content")]
public abstract record BlobContent
{
    /// <summary>
    /// The largest content, in bytes, that rows keep and messages carry. To create a file costs more than all other work of a small push
    /// (docs/architecture.md, "Bytes"), and most blobs by number are smaller than this.
    /// </summary>
    public const int MaxInlineSize = 32 * 1024;

    private protected BlobContent()
    {
    }

    /// <summary>The size in bytes.</summary>
    public abstract long Size { get; }
}

/// <summary>A blob in an object of its own.</summary>
/// <param name="Object">The object, sealed under the blob's digest.</param>
/// <param name="ObjectSize">Its size in bytes.</param>
[GenerateSerializer, Immutable, Alias("granary.object-content")]
public sealed record ObjectContent([property: Id(0)] ObjectId Object, [property: Id(1)] long ObjectSize) : BlobContent
{
    /// <inheritdoc/>
    public override long Size => ObjectSize;
}

/// <summary>A small blob.</summary>
/// <param name="Bytes">The content, at most <see cref="BlobContent.MaxInlineSize"/> bytes. It is never changed.</param>
[GenerateSerializer, Immutable, Alias("granary.inline-content")]
public sealed record InlineContent([property: Id(0)] byte[] Bytes) : BlobContent
{
    /// <inheritdoc/>
    public override long Size => Bytes.Length;
}
