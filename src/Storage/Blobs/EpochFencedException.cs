using Granary.Protocol;

namespace Granary.Storage.Blobs;

/// <summary>
/// A writer's epoch is fenced: another request, of this process or another, has a newer claim, or the object is sealed or deleted.
/// </summary>
public sealed class EpochFencedException(ObjectId id, long epoch) : Exception($"Epoch {epoch} of object {id} is over.")
{
    /// <summary>The object.</summary>
    public ObjectId Id { get; } = id;

    /// <summary>The epoch that is fenced.</summary>
    public long Epoch { get; } = epoch;
}
