using Granary.Protocol;

namespace Granary.Grains.Interfaces.Blobs;

/// <summary>Acquires a reference to a blob, before the repository commits its link.</summary>
/// <param name="Digest">The blob.</param>
/// <param name="Content">Its bytes, complete and durable; null for a mount.</param>
/// <param name="Repository">The repository.</param>
/// <param name="Sequence">The lowest version that the repository can have when it commits the link.</param>
/// <param name="Deadline">
/// The end of the time in which a sealed object is accepted. Later the sweep has renounced it, and its tombstone may be gone again
/// (<c>late</c>).
/// </param>
[GenerateSerializer, Immutable, Alias("granary.acquire")]
public sealed record AcquireBlob(
    [property: Id(0)] Digest Digest,
    [property: Id(1)] BlobContent? Content,
    [property: Id(2)] RepositoryName Repository,
    [property: Id(3)] long Sequence,
    [property: Id(4)] DateTimeOffset Deadline);
