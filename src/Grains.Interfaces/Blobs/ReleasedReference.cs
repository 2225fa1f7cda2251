using Granary.Protocol;

namespace Granary.Grains.Interfaces.Blobs;

/// <summary>The release of a reference, after the repository has committed the unlink.</summary>
/// <param name="Digest">The blob.</param>
/// <param name="Repository">The repository that referred to it.</param>
/// <param name="Sequence">The version at which the repository committed the unlink. A newer reference stays (<c>seq</c>).</param>
[GenerateSerializer, Immutable, Alias("granary.released-reference")]
public sealed record ReleasedReference(
    [property: Id(0)] Digest Digest,
    [property: Id(1)] RepositoryName Repository,
    [property: Id(2)] long Sequence);
