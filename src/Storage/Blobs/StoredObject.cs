using Granary.Protocol;

namespace Granary.Storage.Blobs;

/// <summary>An object in a listing.</summary>
/// <param name="Id">The object.</param>
/// <param name="Digest">The digest under which it is sealed; null if it is not sealed.</param>
/// <param name="Length">Its bytes.</param>
/// <param name="LastWrite">When a writer last opened it or wrote to it.</param>
public sealed record StoredObject(ObjectId Id, Digest? Digest, long Length, DateTimeOffset LastWrite);
