using Granary.Protocol;

namespace Granary.Grains.Interfaces.Blobs;

/// <summary>A reference, as it was when its lease was read.</summary>
/// <param name="Digest">The blob.</param>
/// <param name="Repository">The repository that refers to it.</param>
/// <param name="Sequence">The sequence of the reference.</param>
/// <param name="LeaseUntil">The end of its lease.</param>
[GenerateSerializer, Immutable, Alias("granary.due-reference")]
public sealed record DueReference(
    [property: Id(0)] Digest Digest,
    [property: Id(1)] RepositoryName Repository,
    [property: Id(2)] long Sequence,
    [property: Id(3)] DateTimeOffset LeaseUntil);
