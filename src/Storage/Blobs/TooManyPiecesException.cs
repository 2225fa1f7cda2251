using Granary.Protocol;

namespace Granary.Storage.Blobs;

/// <summary>
/// A writer cannot append, because the object consists of as many pieces as the store allows. Each flush of an upload ends a piece, so the
/// client sends too small chunks.
/// </summary>
public sealed class TooManyPiecesException(ObjectId id, long pieces) : Exception($"Object {id} has {pieces} pieces, the most possible.")
{
    /// <summary>How many pieces an object can have.</summary>
    public long Pieces { get; } = pieces;
}
