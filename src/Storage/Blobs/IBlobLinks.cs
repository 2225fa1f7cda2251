using Granary.Protocol;

namespace Granary.Storage.Blobs;

/// <summary>A store whose objects clients can download by themselves.</summary>
public interface IBlobLinks
{
    /// <summary>
    /// Returns a URL from which anyone reads a sealed object, and nothing else, for at least 20 minutes. The URL stays the same for some
    /// minutes, so that caches can use it. Whether the object exists is not checked.
    /// </summary>
    /// <exception cref="StorageException">The store cannot make URLs now. The message says why.</exception>
    ValueTask<Uri> CreateLinkAsync(ObjectId id, CancellationToken cancellationToken);
}
